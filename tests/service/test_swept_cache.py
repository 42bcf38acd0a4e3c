import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
import uvloop

from tests.service.stores import TroubledStore, locked
from tests.transport.lines import until
from tlsmgr.errors import StoreBusyError, StoreDamagedError, StoreError
from tlsmgr.service import swept_cache
from tlsmgr.service.swept_cache import Sweep, SweptCache
from tlsmgr.storage.quarantine import set_aside
from tlsmgr.storage.sessions import SWEEP_STEP, Put, SessionStore

NOW = 1000.0


def _fill(directory: Path, *, expired: int, fresh: int) -> None:
    with TroubledStore(directory / "store") as store:
        ends = [NOW - 1] * expired + [NOW + 1] * fresh
        store.apply(
            [
                Put(cache_id=each.to_bytes(2, "big"), session=b"s", stored_at=0.0, expires_at=end)
                for each, end in enumerate(ends)
            ]
        )


def _with_cache(
    directory: Path, work: Callable[[SweptCache, list[bytes]], Awaitable[None]], *, saves: bool = True
) -> None:
    async def run() -> None:
        removed: list[bytes] = []
        opener = partial(SessionStore, directory / "store", checkpoints=saves)
        cache = SweptCache("smtpd", 3600, opener, lambda: NOW, removed.append)
        await work(cache, removed)
        await cache.close()

    uvloop.run(run())


@pytest.mark.parametrize("expired", [0, 24, 25, 60])
def test_a_sweep_removes_what_has_expired(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, expired: int
) -> None:
    """All of it and nothing else, around the size of one step too, in the words of Postfix's log."""
    caplog.set_level("INFO")
    _fill(tmp_path, expired=expired, fresh=3)

    async def work(cache: SweptCache, removed: list[bytes]) -> None:
        assert await cache.sweep() == Sweep(retained=3, dropped=expired)
        assert (cache.sweeps, cache.dropped) == (1, expired)
        *ids, summary = removed  # what the PRNG pool is stirred with, even if nothing was removed
        assert len(ids) == expired
        assert f"dropped={expired}".encode() in summary

    _with_cache(tmp_path, work)
    assert caplog.messages == [f"cache smtpd full cleanup: retained=3 dropped={expired} entries"]


def test_the_first_sweep_comes_by_itself(tmp_path: Path) -> None:
    """Nobody has to ask for it."""
    _fill(tmp_path, expired=30, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        await until(lambda: cache.sweeps == 1)
        assert cache.dropped == 30

    _with_cache(tmp_path, work)


def test_a_short_lock_is_waited_for(tmp_path: Path) -> None:
    """The cache server's commits go first."""
    _fill(tmp_path, expired=1, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        loop_turns = 0

        def has_waited() -> bool:
            nonlocal loop_turns
            loop_turns += 1
            return loop_turns > 10

        with locked(tmp_path / "store"):
            await until(has_waited)
            assert cache.sweeps == 0
        await until(lambda: cache.sweeps == 1)

    _with_cache(tmp_path, work)


def test_a_lasting_lock_is_said_to_who_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for a sweep is answered, however long somebody else keeps the store."""
    monkeypatch.setattr(swept_cache, "_BUSY_SECONDS", 0.01)
    _fill(tmp_path, expired=1, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        with locked(tmp_path / "store"), pytest.raises(StoreBusyError):
            await cache.sweep()
        await cache.sweep()
        assert cache.dropped == 1

    _with_cache(tmp_path, work)


def test_a_store_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning while it lasts, and a line when it is over; who asks is told."""
    monkeypatch.setattr(swept_cache, "_REOPEN_SECONDS", 0.005)
    caplog.set_level("INFO")
    directory = tmp_path / "missing"

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        with pytest.raises(StoreError):
            await cache.sweep()
        await until(lambda: bool(caplog.records))
        directory.mkdir()
        await until(lambda: "works again" in caplog.text)
        assert cache.sweeps == 1

    _with_cache(directory, work)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]


def test_a_sweep_waits_while_the_log_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the process that saves has moved it: it would be held by moving too much at once."""
    monkeypatch.setattr(swept_cache, "_BACKLOG_PAGES", 1)
    _fill(tmp_path, expired=60, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        waiting = asyncio.ensure_future(cache.sweep())
        with SessionStore(tmp_path / "store", checkpoints=True) as saver:
            await until(lambda: saver.log_backlog() > 0)
            assert saver.count() == 60 - SWEEP_STEP
            monkeypatch.setattr(swept_cache, "_BACKLOG_PAGES", 1000)
            await waiting
        assert cache.dropped == 60

    _with_cache(tmp_path, work, saves=False)


def test_a_sweep_alone_has_its_log_moved_by_closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the process that saves, nobody else would do it."""
    monkeypatch.setattr(swept_cache, "_BACKLOG_PAGES", 1)
    monkeypatch.setattr(swept_cache, "_BACKLOG_SECONDS", 0.0)
    _fill(tmp_path, expired=60, fresh=1)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        assert await cache.sweep() == Sweep(retained=1, dropped=60)

    _with_cache(tmp_path, work, saves=False)


def test_a_log_that_stays_long_is_said_to_who_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that saves, but hangs; the sweep is tried again later."""
    monkeypatch.setattr(swept_cache, "_BACKLOG_PAGES", 1)
    monkeypatch.setattr(swept_cache, "_BACKLOG_SECONDS", 0.0)
    _fill(tmp_path, expired=60, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        with (
            SessionStore(tmp_path / "store", checkpoints=True),
            pytest.raises(StoreBusyError, match="stays long"),
        ):
            await cache.sweep()

    _with_cache(tmp_path, work, saves=False)


def test_a_sweep_that_waits_for_the_log_is_answered_when_the_sweeper_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked for it learns that it is not done, and is not left without an answer."""
    monkeypatch.setattr(swept_cache, "_BACKLOG_PAGES", 1)
    _fill(tmp_path, expired=60, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        with SessionStore(tmp_path / "store", checkpoints=True) as saver:
            waiting = asyncio.ensure_future(cache.sweep())
            await until(lambda: saver.log_backlog() > 0)
            await cache.close()
            with pytest.raises(StoreError, match="not swept any more"):
                await waiting

    _with_cache(tmp_path, work, saves=False)


def test_a_store_that_was_set_aside_is_left_for_the_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The one who asks first is told so, the next one gets a sweep."""
    _fill(tmp_path, expired=1, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        await until(lambda: cache.sweeps == 1)
        set_aside(tmp_path / "store", NOW, "test")
        _fill(tmp_path, expired=3, fresh=0)
        with pytest.raises(StoreDamagedError):
            await cache.sweep()
        assert await cache.sweep() == Sweep(retained=0, dropped=3)

    _with_cache(tmp_path, work, saves=False)
    assert "set aside" in caplog.text


def test_a_sweep_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    """It would open the store anew, and nobody would close it."""
    _fill(tmp_path, expired=1, fresh=0)

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        await cache.close()
        with pytest.raises(StoreError, match="not swept any more"):
            await cache.sweep()

    _with_cache(tmp_path, work)


def _unreachable() -> SessionStore:
    raise StoreError("out of reach")


def test_a_passing_fault_costs_a_jailed_sweeper_nothing(tmp_path: Path) -> None:
    """A store that cannot be opened from inside of the jail is not closed for it."""
    _fill(tmp_path, expired=1, fresh=1)
    database = tmp_path / "store" / "cache.db"

    async def work(cache: SweptCache, _removed: list[bytes]) -> None:
        cache.enter_jail(_unreachable, None)
        database.rename(tmp_path / "away")
        with pytest.raises(StoreError):
            await cache.sweep()
        (tmp_path / "away").rename(database)
        assert await cache.sweep() == Sweep(retained=1, dropped=1)
        set_aside(tmp_path / "store", NOW, "test")
        with pytest.raises(StoreDamagedError):
            await cache.sweep()
        with pytest.raises(StoreError, match="supervisorctl restart tlsmgr:expiry-sweeper"):
            await cache.sweep()

    _with_cache(tmp_path, work, saves=False)


def test_a_store_that_was_not_there_yet_is_opened_before_the_jail(tmp_path: Path) -> None:
    """Another process had it locked a moment ago."""

    async def run() -> None:
        cache = SweptCache("smtpd", 3600, _unreachable, lambda: NOW, lambda _: None)
        _fill(tmp_path, expired=1, fresh=1)
        cache.enter_jail(partial(SessionStore, tmp_path / "store", checkpoints=False), None)
        assert await cache.sweep() == Sweep(retained=1, dropped=1)
        await cache.close()

    uvloop.run(run())
