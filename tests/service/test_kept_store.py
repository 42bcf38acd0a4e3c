import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from tests.service.stores import TroubledStore, sealer, settings
from tlsmgr.errors import Status, StoreBusyError, StoreDamagedError, StoreError
from tlsmgr.messages import CacheType, LookupReply, LookupRequest, StatusReply, UpdateRequest
from tlsmgr.service import kept_store
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.storage.sessions import SessionStore, StoredSession

LOOKUP = LookupRequest(cache_type=CacheType.SMTPD, cache_id=b"id")
UPDATE = UpdateRequest(cache_type=CacheType.SMTPD, cache_id=b"id", session=b"SESSIONSECRET")
OK, NOT_DONE = StatusReply(status=Status.OK), StatusReply(status=Status.NOT_DONE)
FOUND = LookupReply(status=Status.OK, session=b"SESSIONSECRET")
MISSED = LookupReply(status=Status.NOT_DONE)


def _ignore(_session: bytes) -> None:
    """Stand for who is told of sessions."""


def _cache(open_store: Callable[[], SessionStore]) -> SessionCache:
    return SessionCache(settings(), open_store, lambda: 1000.0, _ignore, SessionMemory(1 << 20), sealer())


async def _status(answer: StatusReply | asyncio.Future[StatusReply]) -> StatusReply:
    return answer if isinstance(answer, StatusReply) else await answer


async def _saved(cache: SessionCache) -> None:
    while await _status(cache.update(UPDATE)) != OK:  # noqa: ASYNC110 - no event tells; a client tries, too
        await asyncio.sleep(0.005)


def test_a_store_that_does_not_close_well_is_only_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a full disk; whoever closes several caches goes on, and the memory is free again."""

    async def run() -> None:
        memory = SessionMemory(1 << 20)
        cache = SessionCache(
            settings(), lambda: TroubledStore(tmp_path / "store"), lambda: 1000.0, _ignore, memory, sealer()
        )
        assert await _status(cache.update(UPDATE)) == OK
        (tmp_path / "store" / "cache.db").rename(tmp_path / "away")
        await cache.close()
        assert memory.used == 0

    uvloop.run(run())
    assert len(caplog.records) == 1


def test_a_cache_that_was_closed_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the store fails while the last changes are made."""
    monkeypatch.setattr(kept_store, "_REOPEN_SECONDS", 0.0)
    made: list[TroubledStore] = []

    def opened() -> TroubledStore:
        made.append(TroubledStore(tmp_path / "store"))
        return made[-1]

    async def run() -> None:
        cache = _cache(opened)
        reply = cache.update(UPDATE)
        made[0].trouble = StoreError("full")
        await cache.close()
        assert await _status(reply) == NOT_DONE
        for _ in range(5):
            await asyncio.sleep(0)
        assert (len(made), cache.layers.store) == (1, None)

    uvloop.run(run())


def test_a_lookup_in_a_locked_store_does_not_open_it_anew(tmp_path: Path) -> None:
    """Who has it locked is done in a moment, and another connection would find it locked, too."""

    class Locked(TroubledStore):
        def find(self, cache_id: bytes) -> StoredSession | None:
            del cache_id
            raise StoreBusyError("locked")

    async def run() -> None:
        cache = _cache(lambda: Locked(tmp_path / "store"))
        store = cache.layers.store
        assert cache.lookup(LOOKUP) == MISSED
        assert await _status(cache.update(UPDATE)) == OK
        assert cache.layers.store is store
        await cache.close()

    uvloop.run(run())


def _unreachable() -> SessionStore:
    raise StoreError("out of reach")


def test_a_passing_fault_costs_a_jailed_cache_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that cannot be opened from inside of the jail is not closed for it."""
    monkeypatch.setattr(kept_store, "_REOPEN_SECONDS", 0.0)
    made: list[TroubledStore] = []

    def opened() -> TroubledStore:
        made.append(TroubledStore(tmp_path / "store"))
        return made[-1]

    async def run() -> None:
        cache = _cache(opened)
        cache.enter_jail(_unreachable, None)
        made[0].trouble = StoreError("full")
        assert await _status(cache.update(UPDATE)) == NOT_DONE
        for _ in range(5):
            await asyncio.sleep(0)
        made[0].trouble = None
        assert await _status(cache.update(UPDATE)) == OK
        assert cache.lookup(LOOKUP) == FOUND
        made[0].trouble = StoreDamagedError("damaged")
        assert await _status(cache.update(UPDATE)) == NOT_DONE
        assert cache.layers.store is None
        await cache.close()

    uvloop.run(run())
    assert caplog.text.count("supervisorctl restart tlsmgr:cache-server") == 2


def test_a_store_is_opened_before_the_jail_or_from_inside_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that another process had locked a moment ago, and one that is below the jail."""
    monkeypatch.setattr(kept_store, "_REOPEN_SECONDS", 0.0)

    def opened() -> TroubledStore:
        return TroubledStore(tmp_path / "store")

    async def run() -> None:
        cache = _cache(_unreachable)
        cache.enter_jail(opened, opened)
        assert await _status(cache.update(UPDATE)) == OK
        shutil.rmtree(tmp_path / "store")
        assert await _status(cache.update(UPDATE)) == NOT_DONE
        await asyncio.wait_for(_saved(cache), 5)
        await cache.close()

    uvloop.run(run())
