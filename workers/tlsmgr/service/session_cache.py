"""One session cache: its policy, its store, its log lines."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from tlsmgr.config.caches import CacheSettings
from tlsmgr.errors import Status, StoreBusyError, StoreError
from tlsmgr.messages import (
    DeleteRequest,
    LookupReply,
    LookupRequest,
    PolicyReply,
    StatusReply,
    UpdateRequest,
)
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.sealing.session_sealer import SessionSealer
from tlsmgr.service.kept_store import KeptStore, OpenStore
from tlsmgr.service.layered_store import LayeredStore
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.service.shared_sessions import SharedSessions
from tlsmgr.storage.limits import StoreLimits
from tlsmgr.storage.listing import ListedEntry
from tlsmgr.storage.sessions import Change, Put, Remove

_log = logging.getLogger(__name__)

_REFUSED_LOOKUP = LookupReply(status=Status.FAILED)
_NOT_FOUND = LookupReply(status=Status.NOT_DONE)
_REFUSED = StatusReply(status=Status.FAILED)

_BUSY_PAUSE_SECONDS = 0.01
_REMOVAL_PAUSE_SECONDS = 0.001
# Whoever revokes waits, and is told then; a lock that is held for so long is no update's.
_LOCKED_SECONDS = 10.0


class SessionCache:
    """Answers requests about one cache.

    A store that fails is opened anew, at once and then every few seconds; meanwhile only what is in
    memory is found and nothing is saved, but the policy is answered as ever: smtpd asks for it
    once in its life, and would do without a cache for the rest of it.

    Args:
        settings: This cache's parameters.
        open_store: Opens its store; None for a cache that is not enabled.
        clock: The time of day in seconds since 1970.
        on_session: Is told each session that comes to be saved.
        memory: Keeps what was used last, for all caches.
        sealer: Seals what goes to the store.
    """

    def __init__(
        self,
        settings: CacheSettings,
        open_store: OpenStore | None,
        clock: Callable[[], float],
        on_session: Callable[[bytes], None],
        memory: SessionMemory,
        sealer: Sealer,
    ) -> None:
        self._clock = clock
        self._on_session = on_session
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._memory = memory
        self._shelf = memory.shelf()
        self._layers = LayeredStore(
            self._shelf, self._evicted, SessionSealer(settings.cache_type, sealer, self._was_tampered_with)
        )
        self._removal: asyncio.Task[str] | None = None
        self.figures = self._layers.figures
        label = settings.cache_type.value
        self._kept = None if open_store is None else KeptStore(self._layers, open_store, label, clock)
        self._shared: SharedSessions | None = None
        self.use(settings)

    @property
    def is_enabled(self) -> bool:
        """Whether the configuration names a database for this cache."""
        return self._kept is not None

    @property
    def layers(self) -> LayeredStore:
        """Its sessions on this host."""
        return self._layers

    def contents(self) -> Mapping[str, int]:
        """Return the store's entries, its bytes of disk, and the seconds since its oldest was stored."""
        store = self._layers.store
        try:
            if store is not None:
                oldest = store.oldest()
                age = max(0, int(self._clock()) - oldest) if oldest else 0
                return {"entries": store.count(), "bytes": store.size(), "oldest_age": age}
        except StoreError as error:
            self._trouble.warning("count", "%s", error)
        return {"entries": 0, "bytes": 0, "oldest_age": 0}

    def stats(self) -> Mapping[str, object]:
        """Return all there is to tell of this cache, in numbers."""
        limits = self._layers.limits
        bounds = {"entry_limit": limits.entries, "size_limit": limits.size, "memory_bytes": self._shelf.used}
        shared = {} if self._shared is None else {"shared": self._shared.stats()}
        return {"enabled": self.is_enabled, **self.figures.as_map(), **self.contents(), **bounds, **shared}

    def use(self, settings: CacheSettings) -> None:
        """Go on with other parameters for the same store."""
        self._timeout = settings.timeout
        self._label = settings.cache_type.value
        self._layers.limits = StoreLimits(entries=settings.entry_limit, size=settings.size_limit)
        self._logs_events = settings.logs_cache_events
        self.policy = PolicyReply(status=Status.OK, cachable=self.is_enabled, timeout=settings.timeout)

    def recall(self, cache_id: bytes) -> bytes | None:
        """Return the session that ``lookup`` would find, if memory alone tells; None says nothing."""
        # A lookup that is logged goes the whole way.
        return None if self._logs_events else self._layers.recall(cache_id, self._clock(), self._timeout)

    def share(self, shared: SharedSessions | None) -> None:
        """Ask ``shared`` for what is not here, and tell it what is saved and deleted; or nobody any more."""
        self._shared = shared
        if shared is not None and self._kept is not None:
            # With the times that it has: what other hosts saved does not live longer for being found.
            shared.keep = self._kept.submit

    def lookup(self, request: LookupRequest) -> LookupReply | asyncio.Future[LookupReply]:
        """Return the session, if it is there and its time is not over.

        What other hosts may have comes as a future, within 20 ms.
        """
        if self._kept is None:
            self.figures.disabled += 1
            return _REFUSED_LOOKUP
        if self._logs_events:
            _log.info("lookup %s session id=%s", self._label, printable(request.cache_id))
        try:
            session = self._layers.lookup(request.cache_id, self._clock(), self._timeout)
        except StoreError as error:
            self.figures.count_failed_lookup(error)
            self._kept.failed(error)
            session = None
        if session is None:
            return _NOT_FOUND if self._shared is None else self._shared.lookup(request.cache_id)
        return LookupReply(status=Status.OK, session=session)

    def update(self, request: UpdateRequest) -> StatusReply | asyncio.Future[StatusReply]:
        """Save a session; the reply comes when it is in the store."""
        if self._logs_events and self.is_enabled:
            _log.info(
                "put %s session id=%s [data %d bytes]",
                self._label,
                printable(request.cache_id),
                len(request.session),
            )
        self.figures.updates += 1
        self._on_session(request.session)
        now = self._clock()
        put = Put(
            cache_id=request.cache_id,
            session=request.session,
            stored_at=now,
            expires_at=now + self._timeout,
        )
        if self._shared is not None and self._kept is not None:
            self._shared.put(put)
        return self._submit(put)

    def delete(self, request: DeleteRequest) -> StatusReply | asyncio.Future[StatusReply]:
        """Remove a session; the reply comes when it is gone from the store."""
        if self._logs_events and self.is_enabled:
            _log.info("delete %s session id=%s", self._label, printable(request.cache_id))
        self.figures.deletes += 1
        if self._shared is not None and self._kept is not None:
            self._shared.remove(request.cache_id)
        return self._submit(Remove(cache_id=request.cache_id))

    def entries(self, after: int) -> list[ListedEntry]:
        """Return a page of what this host has, as ``LayeredStore.entries`` does."""
        return self._layers.entries(after)

    def apply(self, changes: Sequence[Remove]) -> Sequence[bool]:
        """Remove entries here at once, as ``LayeredStore.apply`` does, and then for the other hosts."""
        done = self._layers.apply(changes)
        if self._shared is not None:
            for change in changes:
                self._shared.remove(change.cache_id)
        return done

    def revoke(self) -> "asyncio.Task[str]":
        """Have nothing found any more that was saved before; call it after ``Sealer.begin_anew``.

        Returns:
            What has ended when none of it is on the disk either, with an empty result, or with the
            reason why some of it is, as when another process keeps the store locked for 10 s. It
            is cancelled when the cache is closed, or revoked again. What is saved meanwhile stays.
        """
        self._layers.forget()
        if self._removal is not None:
            self._removal.cancel()
        self._removal = self._loop.create_task(self._remove_revoked())
        return self._removal

    def enter_jail(self, last_open: OpenStore, open_store: OpenStore | None) -> None:
        """Get ready for a chroot jail, as ``KeptStore.enter_jail`` has it."""
        if self._kept is not None:
            self._kept.enter_jail(last_open, open_store)

    async def close(self, *, durably: bool = True) -> None:
        """Close the store when the changes under way are committed; what fails then is logged.

        Args:
            durably: As ``SessionStore.close`` has it; it may hold the event loop for a second.
        """
        if self._removal is not None:
            self._removal.cancel()
        try:
            if self._kept is not None:
                await self._kept.close(durably=durably)
        finally:
            self._memory.release(self._shelf)

    def _submit(self, change: Change) -> StatusReply | asyncio.Future[StatusReply]:
        return _REFUSED if self._kept is None else self._kept.submit(change)

    async def _remove_revoked(self) -> str:
        position: int | None = 0
        give_up_at = self._loop.time() + _LOCKED_SECONDS
        while position is not None and self._kept is not None:
            try:
                position = self._layers.remove_revoked(position)
                give_up_at = self._loop.time() + _LOCKED_SECONDS
            except StoreBusyError as error:
                if self._loop.time() >= give_up_at:
                    return f"{error}; revoke again when it is not"
                await asyncio.sleep(_BUSY_PAUSE_SECONDS)
            except StoreError as error:
                self._kept.failed(error)
                return str(error)
            await asyncio.sleep(_REMOVAL_PAUSE_SECONDS)
        return ""

    def _was_tampered_with(self) -> None:
        self.figures.tampered += 1
        self.figures.damaged += 1
        self._trouble.warning(
            "tampering",
            "an entry of the %s session store was changed or moved on disk: taken as not there; %d so far",
            self._label,
            self.figures.tampered,
        )

    def _evicted(self, count: int) -> None:
        self.figures.evictions += count
        if count:
            self._trouble.warning(
                "limit",
                "the %s session cache is full: %d sessions went before their time so far; raise"
                " tlsmgr_session_cache_entry_limit or tlsmgr_session_cache_size_limit",
                self._label,
                self.figures.evictions,
            )


def printable(cache_id: bytes) -> str:
    """Return a cache id for the log: a client cannot forge a line with it."""
    text = cache_id.decode("ascii", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)
