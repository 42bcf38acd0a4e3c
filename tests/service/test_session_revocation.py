import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.service.stores import TroubledStore, locked, sealer, settings
from tlsmgr.errors import Status, StoreError
from tlsmgr.messages import CacheType, LookupReply, LookupRequest, StatusReply, UpdateRequest
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.service import session_cache
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.session_memory import SessionMemory

#: More than one step removes.
SESSIONS = 120
MISSED = LookupReply(status=Status.NOT_DONE)


class Revocable:
    """A cache with sessions in it, and what revokes them."""

    def __init__(self, directory: Path) -> None:
        self.sealer: Sealer = sealer()
        self.stores: list[TroubledStore] = []
        self._directory = directory
        memory = SessionMemory(1 << 20)
        self.cache = SessionCache(settings(), self._open, lambda: 1000.0, lambda _: None, memory, self.sealer)

    def _open(self) -> TroubledStore:
        self.stores.append(TroubledStore(self._directory / "store"))
        return self.stores[-1]

    async def save(self, number: int) -> None:
        """Save a session."""
        reply = self.cache.update(
            UpdateRequest(cache_type=CacheType.SMTPD, cache_id=b"%d" % number, session=b"s")
        )
        assert isinstance(reply, asyncio.Future)
        assert await reply == StatusReply(status=Status.OK)

    async def fill(self) -> None:
        """Save all sessions."""
        await asyncio.gather(*map(self.save, range(SESSIONS)))

    def find(self, number: int) -> LookupReply:
        """Look one up."""
        reply = self.cache.lookup(LookupRequest(cache_type=CacheType.SMTPD, cache_id=b"%d" % number))
        assert isinstance(reply, LookupReply)
        return reply

    def revoke(self) -> "asyncio.Task[str]":
        """Revoke all."""
        self.sealer.begin_anew()
        return self.cache.revoke()


def test_nothing_is_found_from_the_first_moment_on_and_then_nothing_is_there(tmp_path: Path) -> None:
    """What is saved meanwhile stays, under a new id or under an old one."""

    async def run() -> None:
        one = Revocable(tmp_path)
        await one.fill()
        removal = one.revoke()
        assert {one.find(number) for number in range(SESSIONS)} == {MISSED}
        await one.save(SESSIONS - 1)
        await one.save(SESSIONS)
        assert await removal == ""
        assert one.cache.contents()["entries"] == 2
        found = [number for number in range(SESSIONS + 1) if one.find(number) != MISSED]
        assert found == [SESSIONS - 1, SESSIONS]
        assert one.cache.figures.tampered == 0
        await one.cache.close()

    uvloop.run(run())


def test_a_locked_store_is_waited_for(tmp_path: Path) -> None:
    """Another process has it for a moment; meanwhile nothing is found all the same."""

    async def run() -> None:
        one = Revocable(tmp_path)
        await one.fill()
        with locked(tmp_path / "store"):
            removal = one.revoke()
            for _ in range(5):
                await asyncio.sleep(0)
            assert one.find(0) == MISSED
            assert not removal.done()
        assert await removal == ""
        assert one.cache.contents()["entries"] == 0
        await one.cache.close()

    uvloop.run(run())


def test_a_store_that_stays_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever revoked does not wait for ever; nothing is found all the same, until a restart."""
    monkeypatch.setattr(session_cache, "_LOCKED_SECONDS", 0.02)

    async def run() -> None:
        one = Revocable(tmp_path)
        await one.fill()
        with locked(tmp_path / "store"):
            assert "revoke again" in await one.revoke()
            assert one.find(0) == MISSED
        assert await one.revoke() == ""
        assert one.cache.contents()["entries"] == 0
        await one.cache.close()

    uvloop.run(run())


def test_a_failing_store_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever revoked is to know that sessions may come back with a restart."""

    async def run() -> None:
        one = Revocable(tmp_path)
        await one.fill()
        one.stores[0].trouble = StoreError("disk full")
        assert await one.revoke() == "disk full"
        assert one.find(0) == MISSED
        await one.cache.close()

    uvloop.run(run())
    assert "disk full" in caplog.text


def test_a_cache_that_is_closed_ends_the_removal(tmp_path: Path) -> None:
    """A worker that is stopped does not stay for it."""

    async def run() -> None:
        one = Revocable(tmp_path)
        await one.fill()
        removal = one.revoke()
        await one.cache.close()
        await asyncio.wait([removal])
        assert removal.cancelled()

    uvloop.run(run())
