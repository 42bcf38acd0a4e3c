"""A cache goes on while another process has its store locked: its event loop is never held for that."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop

from tests.service.stores import TroubledStore, locked, sealer, session_sealer, settings
from tests.transport.lines import until
from tlsmgr.errors import Status
from tlsmgr.messages import CacheType, LookupReply, LookupRequest, StatusReply, UpdateRequest
from tlsmgr.service import commit_queue, kept_store
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.storage.sessions import Put

NOW = 1000.0
OK = StatusReply(status=Status.OK)
FOUND = LookupReply(status=Status.OK, session=b"SECRET")
STORED = [b"stored %d" % number for number in range(100)]
LOCKED_SECONDS = 0.6
#: Far above what a turn takes, also on a busy machine, and below what a wait for such a lock takes.
LONGEST_SECONDS = 0.4


async def _beat(beats: list[float]) -> None:
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.001)


@contextmanager
def never_held() -> Iterator[None]:
    """See that the running event loop comes back to a task again and again."""
    beats = [time.monotonic()]
    beating = asyncio.get_running_loop().create_task(_beat(beats))
    yield
    beating.cancel()
    beats.append(time.monotonic())
    assert max(after - before for before, after in pairwise(beats)) < LONGEST_SECONDS


def _cache(store: Path) -> SessionCache:
    """Return a cache whose store has sessions that are not in its memory."""
    puts = [Put(cache_id=each, session=b"SECRET", stored_at=NOW, expires_at=NOW + 3600) for each in STORED]
    with TroubledStore(store) as former:
        former.apply(session_sealer().sealed(puts))
    memory = SessionMemory(1 << 20)
    return SessionCache(
        settings(), lambda: TroubledStore(store), lambda: NOW, lambda _: None, memory, sealer()
    )


def _update(cache: SessionCache, cache_id: bytes) -> asyncio.Future[StatusReply]:
    request = UpdateRequest(cache_type=CacheType.SMTPD, cache_id=cache_id, session=b"SECRET")
    answer = cache.update(request)
    assert not isinstance(answer, StatusReply)
    return answer


def _lookup(cache: SessionCache, cache_id: bytes) -> object:
    return cache.lookup(LookupRequest(cache_type=CacheType.SMTPD, cache_id=cache_id))


def test_updates_wait_for_a_lock_and_lookups_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory or in the store is found meanwhile, and what waits is saved when the lock goes."""
    monkeypatch.setattr(commit_queue, "_DEADLINE_SECONDS", 10.0)  # a busy machine may need longer than 1 s

    async def run() -> None:
        loop = asyncio.get_running_loop()
        cache = _cache(tmp_path / "store")
        assert await _update(cache, b"remembered") == OK
        with never_held():
            with locked(tmp_path / "store"):
                waiting = [_update(cache, b"new %d" % number) for number in range(200)]
                unlock_at = loop.time() + LOCKED_SECONDS
                stored = iter(STORED)
                while loop.time() < unlock_at:
                    assert cache.recall(b"remembered") == b"SECRET"
                    assert _lookup(cache, next(stored)) == FOUND
                    await asyncio.sleep(0.01)
                assert not any(answer.done() for answer in waiting)
            assert await asyncio.gather(*waiting) == [OK] * len(waiting)
        await cache.close()

    uvloop.run(run())


def test_upkeep_that_finds_the_store_locked_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lowered limit is kept when the lock has gone."""
    monkeypatch.setattr(kept_store, "_UPKEEP_SECONDS", 0.001)

    async def run() -> None:
        cache = _cache(tmp_path / "store")
        with never_held():
            with locked(tmp_path / "store"):
                cache.use(settings(entry_limit=10))
                await asyncio.sleep(LOCKED_SECONDS)
                assert cache.contents()["entries"] == len(STORED)
            await until(lambda: cache.contents()["entries"] == 10)
        await cache.close()

    uvloop.run(run())
