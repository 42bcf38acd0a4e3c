"""One cache's sessions in a store that hosts share: asked after a local miss, written to behind."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from tlsmgr.errors import Status
from tlsmgr.messages import CacheType, LookupReply
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.sealing.sealer import TamperedError
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.shared_entries import SharedEntries
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.service.shared_writes import SharedWrites, WaitingChange
from tlsmgr.shared_store.failures import SharedStoreError
from tlsmgr.storage.sessions import Put, is_fresh

_log = logging.getLogger(__name__)

#: Bytes of the largest session that is shared; Postfix's have a few kilobytes.
SESSION_MAX: Final = 32 << 10
#: Lookups of one cache that are under way at a store, each on a connection of its own; beyond, the
#: answer is that there is nothing.
UNDER_WAY_MAX: Final = 16
_NOT_FOUND: Final = LookupReply(status=Status.NOT_DONE)

Reply: TypeAlias = asyncio.Future[LookupReply]


class Outcome(StrEnum):
    """What came of a lookup that the local cache had nothing for; the value is its name in figures."""

    HIT = "hit"
    ABSENT = "absent"
    LATE = "late"  #: answered before the store did
    FAILED = "failed"
    SKIPPED = "skipped"  #: the store was not asked: it does not work, or too much is under way
    OVER = "over"  #: expired, revoked, or changed here meanwhile
    TAMPERED = "tampered"  #: not what a host of the farm put there


@dataclass(slots=True)
class _Pending:
    """One question to the store, and who waits for its answer."""

    replies: list[Reply] = field(default_factory=list)
    is_overtaken: bool = False


def _keep_nothing(_: Put) -> object:
    return None


class SharedSessions:
    """What a ``SessionCache`` has behind it.

    Args:
        cache_type: the cache.
        entries: seals and opens its sessions.
        link: the store.
        writes: changes on their way there, of all caches.
        mark: the generation of what is shared.
        clock: the time of day in seconds since 1970.

    Attributes:
        timeout: the cache's, in seconds.
        keep: is told of each session that was found, however late, for the next time.
        outcomes: how often a lookup came to what.
        tampered: entries that no host of the farm put there.
        too_large: sessions that were not shared for their size.
    """

    def __init__(
        self,
        cache_type: CacheType,
        entries: SharedEntries,
        link: SharedLink,
        writes: SharedWrites,
        mark: RevocationMark,
        clock: Callable[[], float],
    ) -> None:
        self._label = cache_type.value
        self._entries = entries
        self._link = link
        self._writes = writes
        self._mark = mark
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._pending: dict[bytes, _Pending] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.timeout = 0
        self.keep: Callable[[Put], object] = _keep_nothing
        self.outcomes: Counter[Outcome] = Counter()
        self.tampered = self.too_large = 0

    def stats(self) -> Mapping[str, object]:
        """Return the figures, for ``stats``."""
        lookups = {outcome.value: self.outcomes[outcome] for outcome in Outcome}
        return {"lookups": lookups, "tampered": self.tampered, "too_large": self.too_large}

    def lookup(self, cache_id: bytes) -> LookupReply | Reply:
        """Return the session that another host saved, or a future of it; it comes within 20 ms."""
        pending = self._pending.get(cache_id)
        if pending is None:
            if not self._may_ask(cache_id):
                self.outcomes[Outcome.SKIPPED] += 1
                return _NOT_FOUND
            pending = self._pending[cache_id] = _Pending()
            task = self._loop.create_task(self._fetch(cache_id, pending))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._reply_of(pending)

    def put(self, put: Put) -> None:
        """Have a session that was saved here saved for the other hosts, too."""
        if len(put.session) > SESSION_MAX:
            self.too_large += 1
            self.remove(put.cache_id)  # one of the same id must not be found in its place
            return
        self._overtake(put.cache_id)
        size = len(put.session) + len(put.cache_id)
        change = WaitingChange(size=size, make=lambda: self._entries.sealed(put, self._clock()))
        self._writes.submit(self._place(put.cache_id), change)

    def remove(self, cache_id: bytes) -> None:
        """Have a session that was removed here removed for the other hosts, too."""
        self._overtake(cache_id)
        # The name is made when it is sent, as that of a session is: only then the generation is known.
        change = WaitingChange(size=len(cache_id), make=lambda: self._entries.removal(cache_id))
        self._writes.submit(self._place(cache_id), change)

    def close(self) -> None:
        """Ask no more; who waits is answered that there is nothing."""
        for task in self._tasks:
            task.cancel()

    def _may_ask(self, cache_id: bytes) -> bool:
        is_free = len(self._pending) < UNDER_WAY_MAX and self._place(cache_id) not in self._writes
        return is_free and self._link.lets_pass and self._mark.is_known

    def _place(self, cache_id: bytes) -> bytes:
        return self._label.encode() + b" " + cache_id

    def _overtake(self, cache_id: bytes) -> None:
        pending = self._pending.get(cache_id)
        if pending is not None:
            pending.is_overtaken = True

    def _reply_of(self, pending: _Pending) -> Reply:
        reply: Reply = self._loop.create_future()
        pending.replies.append(reply)
        timer = self._loop.call_later(self._link.deadline, self._answer, [reply], Outcome.LATE)
        reply.add_done_callback(lambda _: timer.cancel())
        return reply

    async def _fetch(self, cache_id: bytes, pending: _Pending) -> None:
        outcome, answer = Outcome.FAILED, _NOT_FOUND
        try:
            name, generation = self._entries.name(cache_id), self._mark.generation
            sealed = await self._link.ask(lambda store: store.get(name))
            pending.is_overtaken |= generation != self._mark.generation
            outcome, found = self._usable(cache_id, sealed, pending)
            if found is not None:
                answer = LookupReply(status=Status.OK, session=found.session)
                self.keep(found)
        except SharedStoreError:
            return  # it has been told
        finally:
            # Also when a defect shows itself: it goes on to the loop, which logs it.
            del self._pending[cache_id]
            self._answer(pending.replies, outcome, answer)

    def _answer(self, replies: list[Reply], outcome: Outcome, answer: LookupReply = _NOT_FOUND) -> None:
        for reply in replies:
            if not reply.done():
                self.outcomes[outcome] += 1
                reply.set_result(answer)

    def _usable(self, cache_id: bytes, sealed: bytes | None, pending: _Pending) -> tuple[Outcome, Put | None]:
        if sealed is None:
            return Outcome.ABSENT, None
        if pending.is_overtaken:
            return Outcome.OVER, None
        try:
            found = self._entries.opened(cache_id, sealed)
        except TamperedError:
            self._was_tampered_with()
            return Outcome.TAMPERED, None
        is_good = is_fresh(found.stored_at, found.expires_at, self._clock(), self.timeout)
        return (Outcome.HIT, found) if is_good else (Outcome.OVER, None)

    def _was_tampered_with(self) -> None:
        self.tampered += 1
        self._trouble.warning(
            "tampering",
            "an entry of the %s cache in the shared store is not what a host of this farm put there:"
            " taken as not there; %d so far; see who else can write to the store",
            self._label,
            self.tampered,
        )
