"""A host of a farm, as far as sessions go: a cache on a disk of its own, and a store that others share."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.service.stores import TroubledStore, sealer, settings
from tests.transport.lines import until
from tlsmgr.errors import Status
from tlsmgr.messages import CacheType, DeleteRequest, LookupReply, LookupRequest, StatusReply, UpdateRequest
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.service.shared_entries import SharedEntries
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.service.shared_sessions import Outcome, SharedSessions
from tlsmgr.service.shared_writes import SharedWrites
from tlsmgr.shared_store.address import parse_address
from tlsmgr.shared_store.opening import open_shared_store

FARM_SECRET = bytes(range(32))
_SMTPD = CacheType.SMTPD
# What is no test of the deadline is not to fail on a machine that runs other tests besides.
_PATIENCE_SECONDS = 5.0


class FarmHost:
    """Its smtpd cache; use it in an event loop, as an asynchronous context.

    Args:
        directory: its own store.
        url: the shared one.
        secret: the farm's.
        deadline: as of ``SharedLink``.

    Attributes:
        now: what its clock says.
    """

    def __init__(
        self, directory: Path, url: str, *, secret: bytes = FARM_SECRET, deadline: float = _PATIENCE_SECONDS
    ) -> None:
        self.now = 1000.0
        shared_sealer = SharedSealer(secret, os.urandom)
        self.link = SharedLink(
            open_shared_store(parse_address(url), None), url, lambda: 0.0, deadline=deadline
        )
        self.mark = RevocationMark(self.link, shared_sealer)
        self.writes = SharedWrites(self.link, self.mark)
        self.entries = SharedEntries(_SMTPD, shared_sealer, self.mark)
        self.shared = SharedSessions(
            _SMTPD, self.entries, self.link, self.writes, self.mark, lambda: self.now
        )
        self.shared.timeout = settings().timeout
        self.cache = SessionCache(
            settings(),
            lambda: TroubledStore(directory),
            lambda: self.now,
            lambda _: None,
            SessionMemory(1 << 20),
            sealer(),
        )
        self.cache.share(self.shared)

    async def __aenter__(self) -> Self:
        self.mark.start()
        self.link.start()
        await until(lambda: self.mark.is_known)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shared.close()
        self.mark.close()
        await self.writes.drain(0.1)
        await self.link.close()
        await self.cache.close()

    def ask(self, cache_id: bytes) -> LookupReply | asyncio.Future[LookupReply]:
        """Look a session up; return the reply, or the future of one."""
        return self.cache.lookup(LookupRequest(cache_type=_SMTPD, cache_id=cache_id))

    async def find(self, cache_id: bytes) -> bytes | None:
        """Return the session that a client is answered with, or None."""
        answer = self.ask(cache_id)
        reply = answer if isinstance(answer, LookupReply) else await answer
        return reply.session if reply.status is Status.OK else None

    async def save(self, cache_id: bytes, session: bytes) -> None:
        """Save a session; the store hears of it later."""
        request = UpdateRequest(cache_type=_SMTPD, cache_id=cache_id, session=session)
        assert await _status(self.cache.update(request)) is Status.OK

    async def share(self, cache_id: bytes, session: bytes) -> None:
        """Save a session, and wait until the store has it."""
        await self.save(cache_id, session)
        await self.sent()

    async def delete(self, cache_id: bytes) -> None:
        """Delete a session; the store hears of it later."""
        await _status(self.cache.delete(DeleteRequest(cache_type=_SMTPD, cache_id=cache_id)))

    async def sent(self) -> None:
        """Wait until no change waits for the store."""
        await until(lambda: self.writes.as_map()["waiting"] == 0)

    def came_to(self, outcome: Outcome) -> int:
        """Return how many lookups came to this."""
        return self.shared.outcomes[outcome]


async def _status(answer: StatusReply | asyncio.Future[StatusReply]) -> Status:
    return (answer if isinstance(answer, StatusReply) else await answer).status
