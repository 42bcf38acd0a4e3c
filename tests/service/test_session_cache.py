import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from tests.service.stores import TroubledStore, sealer, session_sealer, settings
from tests.transport.lines import until
from tlsmgr.config.caches import CacheSettings
from tlsmgr.errors import Status, StoreError
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupReply,
    LookupRequest,
    PolicyReply,
    StatusReply,
    UpdateRequest,
)
from tlsmgr.service import kept_store
from tlsmgr.service.session_cache import SessionCache, printable
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.storage.sessions import SessionStore, StoredSession

SMTPD = CacheType.SMTPD
LOOKUP = LookupRequest(cache_type=SMTPD, cache_id=b"id")
UPDATE = UpdateRequest(cache_type=SMTPD, cache_id=b"id", session=b"SESSIONSECRET")
DELETE = DeleteRequest(cache_type=SMTPD, cache_id=b"id")
OK, NOT_DONE = StatusReply(status=Status.OK), StatusReply(status=Status.NOT_DONE)
FOUND = LookupReply(status=Status.OK, session=b"SESSIONSECRET")
MISSED = LookupReply(status=Status.NOT_DONE)


class Clock:
    """Says what time it is told."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def _ignore(_session: bytes) -> None:
    """Stand for who is told of sessions."""


def _cache(
    settings: CacheSettings, open_store: Callable[[], SessionStore] | None, clock: Clock
) -> SessionCache:
    return SessionCache(settings, open_store, clock, _ignore, SessionMemory(1 << 20), sealer())


def _with_cache(
    directory: Path, work: Callable[[SessionCache, Clock], Awaitable[None]], *, logs: bool = False
) -> None:
    async def run() -> None:
        clock = Clock()
        cache = _cache(settings(logs=logs), lambda: TroubledStore(directory / "store"), clock)
        await work(cache, clock)
        await cache.close()

    uvloop.run(run())


async def _status(answer: StatusReply | asyncio.Future[StatusReply]) -> StatusReply:
    return answer if isinstance(answer, StatusReply) else await answer


def test_what_was_saved_is_found_until_it_is_deleted(tmp_path: Path) -> None:
    """And each of these steps is counted."""

    async def work(cache: SessionCache, _clock: Clock) -> None:
        assert cache.lookup(LOOKUP) == MISSED
        assert await _status(cache.update(UPDATE)) == OK
        assert cache.lookup(LOOKUP) == FOUND
        assert cache.contents()["entries"] == 1
        assert await _status(cache.delete(DELETE)) == OK
        assert await _status(cache.delete(DELETE)) == NOT_DONE
        assert cache.lookup(LOOKUP) == MISSED
        figures = cache.figures
        assert (figures.hits, figures.misses, figures.updates, figures.deletes) == (1, 2, 1, 2)

    _with_cache(tmp_path, work)


def test_an_entry_is_never_served_after_its_time(tmp_path: Path) -> None:
    """Neither after the timeout that it was saved with, nor after a present one that is lower."""

    async def work(cache: SessionCache, clock: Clock) -> None:
        await _status(cache.update(UPDATE))
        clock.now = 1000.0 + 3599.9
        assert cache.lookup(LOOKUP) == FOUND
        cache.use(settings(timeout=120))
        assert cache.lookup(LOOKUP) == MISSED
        cache.use(settings(timeout=86400))
        clock.now = 1000.0 + 3600.0
        assert cache.lookup(LOOKUP) == MISSED
        assert (cache.figures.expired, cache.figures.misses) == (2, 2)

    _with_cache(tmp_path, work)


def test_the_short_way_recalls_what_a_lookup_would_find_and_nothing_else(tmp_path: Path) -> None:
    """It counts what it finds, and leaves all else to the lookup: what is logged, expired or not there."""

    async def work(cache: SessionCache, clock: Clock) -> None:
        assert cache.recall(b"id") is None
        await _status(cache.update(UPDATE))
        assert cache.recall(b"id") == b"SESSIONSECRET"
        cache.use(settings(logs=True))
        assert cache.recall(b"id") is None
        cache.use(settings())
        clock.now += 3600.0
        assert cache.recall(b"id") is None
        assert (cache.figures.hits, cache.figures.misses) == (1, 0)

    _with_cache(tmp_path, work)


def test_other_settings_change_the_policy_of_the_same_store(tmp_path: Path) -> None:
    """What was saved before is still there."""

    async def work(cache: SessionCache, _clock: Clock) -> None:
        await _status(cache.update(UPDATE))
        cache.use(settings(timeout=7200))
        assert cache.policy == PolicyReply(status=Status.OK, cachable=True, timeout=7200)
        assert cache.lookup(LOOKUP) == FOUND

    _with_cache(tmp_path, work)


def test_a_disabled_cache_refuses_all_but_the_policy() -> None:
    """The policy says that nothing can be cached, and its timeout, which tickets live by."""

    async def run() -> None:
        cache = _cache(settings(logs=True), None, Clock())
        assert cache.policy == PolicyReply(status=Status.OK, cachable=False, timeout=3600)
        assert cache.lookup(LOOKUP) == LookupReply(status=Status.FAILED)
        assert await _status(cache.update(UPDATE)) == StatusReply(status=Status.FAILED)
        assert await _status(cache.delete(DELETE)) == StatusReply(status=Status.FAILED)
        assert cache.contents() == {"entries": 0, "bytes": 0, "oldest_age": 0}
        await cache.close()

    uvloop.run(run())


def test_a_store_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile the policy is answered as ever, nothing is found, and no update is acknowledged."""
    monkeypatch.setattr(kept_store, "_REOPEN_SECONDS", 0.01)
    caplog.set_level("INFO")
    directory = tmp_path / "missing"

    async def run() -> None:
        cache = _cache(settings(), lambda: TroubledStore(directory / "store"), Clock())
        assert cache.policy == PolicyReply(status=Status.OK, cachable=True, timeout=3600)
        assert cache.lookup(LOOKUP) == MISSED
        assert await _status(cache.update(UPDATE)) == NOT_DONE
        assert await _status(cache.delete(DELETE)) == NOT_DONE
        directory.mkdir()
        await asyncio.wait_for(_saved(cache), 5)
        assert cache.lookup(LOOKUP) == FOUND
        await cache.close()

    uvloop.run(run())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def _saved(cache: SessionCache) -> None:
    while await _status(cache.update(UPDATE)) != OK:  # noqa: ASYNC110 - no event tells; a client tries, too
        await asyncio.sleep(0.005)


def test_a_store_that_was_removed_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be lost is not acknowledged, and a moment later sessions are saved again."""
    monkeypatch.setattr(kept_store, "_REOPEN_SECONDS", 0.01)

    async def run() -> None:
        cache = _cache(settings(), lambda: TroubledStore(tmp_path / "store"), Clock())
        assert await _status(cache.update(UPDATE)) == OK
        shutil.rmtree(tmp_path / "store")
        assert await _status(cache.update(UPDATE)) == NOT_DONE
        await until((tmp_path / "store").exists)
        assert cache.lookup(LOOKUP) == MISSED
        assert await _status(cache.update(UPDATE)) == OK
        assert cache.lookup(LOOKUP) == FOUND
        await cache.close()

    uvloop.run(run())


def test_a_lookup_in_a_broken_store_finds_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered, and warned about once."""

    class Broken(TroubledStore):
        def find(self, cache_id: bytes) -> StoredSession | None:
            del cache_id
            raise StoreError("damaged")

        def oldest(self) -> int:
            raise StoreError("damaged")

    async def run() -> None:
        cache = _cache(settings(), lambda: Broken(tmp_path / "store"), Clock())
        assert [cache.lookup(LOOKUP) for _ in range(3)] == [MISSED] * 3
        assert cache.contents() == {"entries": 0, "bytes": 0, "oldest_age": 0}
        await cache.close()

    uvloop.run(run())
    assert caplog.messages == ["damaged; opening it anew until it works", "damaged"]


def test_close_commits_what_is_under_way(tmp_path: Path) -> None:
    """An update that was taken is answered and in the store; one that comes too late is refused."""

    async def run() -> None:
        cache = _cache(settings(), lambda: TroubledStore(tmp_path / "store"), Clock())
        reply = cache.update(UPDATE)
        await cache.close()
        assert await _status(reply) == OK
        assert await _status(cache.update(UPDATE)) == NOT_DONE
        assert cache.lookup(LOOKUP) == MISSED
        with TroubledStore(tmp_path / "store") as store:
            found = session_sealer().opened(b"id", store.find(b"id"))
        assert found == StoredSession(session=b"SESSIONSECRET", stored_at=1000.0, expires_at=4600.0)

    uvloop.run(run())


def test_log_lines_are_postfixs_and_without_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They appear when the log level asks for them, and stop when it does not any more."""
    caplog.set_level("INFO")

    async def work(cache: SessionCache, _clock: Clock) -> None:
        await _status(cache.update(UPDATE))
        cache.lookup(LOOKUP)
        await _status(cache.delete(DELETE))
        cache.use(settings(logs=False))
        cache.lookup(LOOKUP)

    _with_cache(tmp_path, work, logs=True)
    assert caplog.messages == [
        "put smtpd session id=id [data 13 bytes]",
        "lookup smtpd session id=id",
        "delete smtpd session id=id",
    ]
    assert "SECRET" not in caplog.text + repr(UPDATE) + repr(FOUND)


def test_an_id_cannot_forge_a_log_line() -> None:
    """What is not printable is replaced."""
    assert printable(b"AB&s=smtp&l=1\n\x1b[0m\x7f") == "AB&s=smtp&l=1??[0m?"
