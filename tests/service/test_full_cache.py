"""A cache with more sessions than it may hold, and what is said of those that go."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.service.stores import TroubledStore, sealer, settings
from tests.transport.lines import until
from tlsmgr.errors import Status
from tlsmgr.messages import CacheType, StatusReply, UpdateRequest
from tlsmgr.service import kept_store
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.session_memory import SessionMemory

LIMIT = 10
LIFETIME = 3600
OK = StatusReply(status=Status.OK)


class Time(asyncio.SelectorEventLoop):
    """An event loop whose clock, and the time of day, can be set forward."""

    passed = 0.0

    def time(self) -> float:
        """Return the loop's own time."""
        return super().time() + self.passed

    def of_day(self) -> float:
        """Return the seconds since 1970."""
        return 1000.0 + self.passed


def _with_full_cache(directory: Path, work: Callable[[SessionCache, Time], Awaitable[None]]) -> None:
    async def run(loop: Time) -> None:
        cache = SessionCache(
            settings(timeout=LIFETIME, entry_limit=LIMIT),
            lambda: TroubledStore(directory / "store"),
            loop.of_day,
            lambda _: None,
            SessionMemory(1 << 20),
            sealer(),
        )
        await _save(cache, range(LIMIT))
        await work(cache, loop)
        await cache.close()

    loop = Time()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run(loop))


async def _save(cache: SessionCache, numbers: range) -> None:
    """Save sessions one after the other, each in a transaction of its own."""
    for number in numbers:
        request = UpdateRequest(cache_type=CacheType.SMTPD, cache_id=b"%d" % number, session=b"SECRET")
        answer = cache.update(request)
        assert not isinstance(answer, StatusReply)
        assert await answer == OK


def _told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message.partition(" so far")[0] for message in caplog.messages]


def _line(count: int) -> str:
    return f"the smtpd session cache is full: {count} sessions went before their time"


def test_a_full_cache_is_told_of_once_a_minute(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However many sessions go, with the number of all that went."""

    async def work(cache: SessionCache, loop: Time) -> None:
        assert not caplog.messages
        await _save(cache, range(100, 105))
        assert _told(caplog) == [_line(1)]
        loop.passed += 30
        await _save(cache, range(200, 205))
        assert _told(caplog) == [_line(1)]
        loop.passed += 30
        await _save(cache, range(300, 305))
        assert _told(caplog) == [_line(1), _line(11)]
        assert cache.figures.evictions == 15

    _with_full_cache(tmp_path, work)


def test_nothing_is_told_when_only_expired_sessions_went(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They had their time; the first that had not is told of."""

    async def work(cache: SessionCache, loop: Time) -> None:
        loop.passed += LIFETIME
        await _save(cache, range(100, 100 + LIMIT))
        assert cache.contents()["entries"] == LIMIT
        assert (_told(caplog), cache.figures.evictions) == ([], 0)
        await _save(cache, range(200, 201))
        assert (_told(caplog), cache.figures.evictions) == ([_line(1)], 1)

    _with_full_cache(tmp_path, work)


def test_expired_sessions_that_go_for_a_lower_limit_are_nothing_to_tell(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upkeep removes them when nothing is saved; those that were not over are told of."""
    monkeypatch.setattr(kept_store, "_UPKEEP_SECONDS", 0.001)

    async def work(cache: SessionCache, loop: Time) -> None:
        loop.passed += LIFETIME
        await _save(cache, range(2))
        cache.use(settings(timeout=LIFETIME, entry_limit=2))
        await until(lambda: cache.contents()["entries"] == 2)
        assert (_told(caplog), cache.figures.evictions) == ([], 0)
        cache.use(settings(timeout=LIFETIME, entry_limit=1))
        await until(lambda: cache.contents()["entries"] == 1)
        assert (_told(caplog), cache.figures.evictions) == ([_line(1)], 1)

    _with_full_cache(tmp_path, work)
