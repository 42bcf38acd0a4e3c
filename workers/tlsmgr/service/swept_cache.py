"""One session cache, as the expiry sweeper sees it: swept now and then, in small steps."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.service.occasional_log import OccasionalLog
from tlsmgr.storage.sessions import SWEEP_STEP, SessionStore

_log = logging.getLogger(__name__)

# The cache server's updates go between two steps; it waits 3.6 ms in the worst of a hundred cases.
_PAUSE_SECONDS = 0.002
_REOPEN_SECONDS = 5.0
# Whoever asked for a sweep waits; a lock that is held for so long is no update's.
_BUSY_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one sweep did."""

    retained: int
    dropped: int


class SweptCache:
    """Removes what has expired from one store, every ``timeout`` seconds and when asked.

    Attributes:
        sweeps: How many were completed.
        dropped: How many entries they removed.

    Args:
        label: The cache's name, for the log.
        timeout: Seconds between two sweeps.
        open_store: Opens the store; tried again when it fails.
        clock: The time of day in seconds since 1970.
        on_removal: Is told the id of each entry that was removed.
    """

    def __init__(
        self,
        label: str,
        timeout: int,
        open_store: Callable[[], SessionStore],
        clock: Callable[[], float],
        on_removal: Callable[[bytes], None],
    ) -> None:
        self._timeout = timeout
        self._timeout_changed = asyncio.Event()
        self.sweeps = 0
        self.dropped = 0
        self._label = label
        self._open_store = open_store
        self._clock = clock
        self._on_removal = on_removal
        self._sweeping = asyncio.Lock()
        self._trouble = OccasionalLog(_log, asyncio.get_running_loop().time)
        self._store: SessionStore | None = None
        # Now, since a chroot jail may follow; the first sweep says why it cannot be opened.
        with contextlib.suppress(StoreError):
            self._store = open_store()
        self._schedule = asyncio.ensure_future(self._sweep_forever())

    def use_timeout(self, timeout: int) -> None:
        """Go on with other seconds between two sweeps, from now on."""
        if timeout != self._timeout:
            self._timeout = timeout
            self._timeout_changed.set()

    async def sweep(self) -> Sweep:
        """Remove every entry that has expired by now; return when that is done.

        Raises:
            StoreError: The store cannot be used.
        """
        async with self._sweeping:
            store = self._store = self._store or self._open_store()
            dropped = 0
            now = self._clock()
            while (removed := await self._step(store, now)) == SWEEP_STEP:
                dropped += removed
                await asyncio.sleep(_PAUSE_SECONDS)
            done = Sweep(retained=store.count(), dropped=dropped + removed)
        self.sweeps += 1
        self.dropped += done.dropped
        _log.info(
            "cache %s full cleanup: retained=%d dropped=%d entries", self._label, done.retained, done.dropped
        )
        return done

    async def close(self) -> None:
        """Stop sweeping, between two steps, and close the store."""
        self._schedule.cancel()
        await asyncio.wait([self._schedule])
        if self._store is not None:
            self._store.close()
            self._store = None

    async def _step(self, store: SessionStore, now: float) -> int:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _BUSY_SECONDS
        while True:
            try:
                removed = store.remove_expired(now, SWEEP_STEP)
            except StoreBusyError:
                if loop.time() >= give_up_at:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                for cache_id in removed:
                    # A row that is not ours may have a key of any kind.
                    self._on_removal(repr(cache_id).encode())
                return len(removed)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                self._trouble.warning("store", "%s", error)
                self._forget_store()
                await asyncio.sleep(_REOPEN_SECONDS)
            else:
                self._trouble.recovered("store", "the %s session store works again", self._label)
                self._timeout_changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._timeout_changed.wait(), self._timeout)

    def _forget_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
