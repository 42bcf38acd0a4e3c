"""One session cache, as the expiry sweeper sees it: swept now and then, in small steps."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tlsmgr.errors import StoreBusyError, StoreDamagedError, StoreError
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.storage.sessions import BACKLOG_TO_MOVE, SWEEP_STEP, SessionStore

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

# The cache server's updates go between two steps; it tries again after 1 ms.
_PAUSE_SECONDS = 0.001
_REOPEN_SECONDS = 5.0
# Whoever asked for a sweep waits; a lock that is held for so long is no update's.
_BUSY_SECONDS = 2.0
# The cache server moves the log into the database between two requests, some dozen pages at a
# time: more would have its clients wait.
_BACKLOG_PAGES = 2 * BACKLOG_TO_MOVE
# It does so within a second when it saves nothing. When it does not run, SQLite does when the
# last connection is closed.
_BACKLOG_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one sweep did."""

    retained: int
    dropped: int


@dataclass(slots=True, kw_only=True)
class SweepFigures:
    """How sweeps went since the process began."""

    failures: int = 0  #: sweeps that ended before their end
    seconds: float = 0.0  #: that the completed ones took
    kept: int = 0  #: entries that the last one left
    last_at: float | None = None  #: when that was completed, in seconds since 1970


class SweptCache:
    """Removes what has expired from one store, every ``timeout`` seconds and when asked.

    Attributes:
        sweeps: How many were completed.
        dropped: How many entries they removed.
        figures: What else there is to tell of them.

    Args:
        label: The cache's name, for the log.
        timeout: Seconds between two sweeps.
        open_store: Opens the store; tried again when it fails.
        clock: The time of day in seconds since 1970.
        observe: Is told the id of each entry that was removed, and of each sweep what it came to and when.
    """

    def __init__(
        self,
        label: str,
        timeout: int,
        open_store: Callable[[], SessionStore],
        clock: Callable[[], float],
        observe: Callable[[bytes], None],
    ) -> None:
        self._timeout = timeout
        self._timeout_changed = asyncio.Event()
        self.sweeps = 0
        self.dropped = 0
        self.figures = SweepFigures()
        self._label = label
        self._open_store: Callable[[], SessionStore] | None = open_store
        self._clock = clock
        self._observe = observe
        self._sweeping = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._is_closed = False
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
            begun = time.monotonic()  # the loop's own clock may count in milliseconds
            try:
                done = await self._remove_all(self._clock())
            except StoreError as error:
                self.figures.failures += 1
                if not isinstance(error, StoreBusyError):
                    self._forget_store(is_damaged=isinstance(error, StoreDamagedError))
                raise
            self._count(done, time.monotonic() - begun)
        _log.info(
            "cache %s full cleanup: retained=%d dropped=%d entries", self._label, done.retained, done.dropped
        )
        return done

    def enter_jail(
        self, last_open: Callable[[], SessionStore], open_store: Callable[[], SessionStore] | None
    ) -> None:
        """Get ready for a chroot jail.

        Args:
            last_open: Opens the store from outside, for the last time, if it is not open yet.
            open_store: Opens it from inside; None if it cannot be reached from there. What is open
                then stays in use as long as it is not damaged.
        """
        if self._store is None:
            with contextlib.suppress(StoreError):
                self._store = last_open()
        self._open_store = open_store

    async def close(self, *, durably: bool = True) -> None:
        """Stop sweeping, between two steps, and close the store.

        Args:
            durably: As ``SessionStore.close`` has it; it may hold the event loop for a second.
        """
        self._schedule.cancel()
        await asyncio.wait([self._schedule])
        self._is_closed = True
        store, self._store = self._store, None
        if store is not None:
            try:
                store.close(durably=durably)
            except StoreError as error:
                _log.warning("%s", error)

    def _count(self, done: Sweep, seconds: float) -> None:
        self.sweeps += 1
        self.dropped += done.dropped
        self.figures.seconds += seconds
        self.figures.kept = done.retained
        self.figures.last_at = now = self._clock()
        self._observe(f"{self._label} {done} {seconds!r} {now!r}".encode())

    async def _remove_all(self, now: float) -> Sweep:
        dropped = 0
        while (removed := await self._step(now)) == SWEEP_STEP:
            dropped += removed
            await asyncio.sleep(_PAUSE_SECONDS)
        return Sweep(retained=self._opened().count(), dropped=dropped + removed)

    def _opened(self) -> SessionStore:
        if self._is_closed:
            raise StoreError(f"the {self._label} session store is not swept any more")
        if self._store is None:
            if self._open_store is None:
                raise StoreError(
                    f"the {self._label} session store cannot be opened in the chroot jail:"
                    " supervisorctl restart tlsmgr:expiry-sweeper"
                )
            self._store = self._open_store()
        return self._store

    async def _step(self, now: float) -> int:
        await self._await_short_log()
        removed = await self._when_free(lambda: self._opened().remove_expired(now, SWEEP_STEP))
        for cache_id in removed:
            # A row that is not ours may have a key of any kind.
            self._observe(repr(cache_id).encode())
        return len(removed)

    async def _await_short_log(self) -> None:
        """Wait for the cache server to move the log; have SQLite do it if there is no cache server."""
        if not await self._is_log_short():
            self._forget_store()
            if not await self._is_log_short():
                raise StoreBusyError(f"the log of the {self._label} session store stays long; try again")

    async def _is_log_short(self) -> bool:
        give_up_at = self._loop.time() + _BACKLOG_SECONDS
        # Of what is open at each turn: it may be closed meanwhile, and whoever asked is told so.
        while await self._when_free(lambda: self._opened().log_backlog()) >= _BACKLOG_PAGES:
            if self._loop.time() >= give_up_at:
                return False
            await asyncio.sleep(_PAUSE_SECONDS)
        return True

    async def _when_free(self, use: Callable[[], _Result]) -> _Result:
        give_up_at = self._loop.time() + _BUSY_SECONDS
        while True:
            try:
                return use()
            except StoreBusyError:
                if self._loop.time() >= give_up_at:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                self._trouble.warning("store", "%s", error)
                await asyncio.sleep(_REOPEN_SECONDS)
            else:
                self._trouble.recovered("store", "the %s session store works again", self._label)
                self._timeout_changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._timeout_changed.wait(), self._timeout)

    def _forget_store(self, *, is_damaged: bool = False) -> None:
        if self._open_store is None and not is_damaged:
            return  # there would be no other one
        store, self._store = self._store, None
        if store is not None:
            with contextlib.suppress(StoreError):  # the next one tells what is wrong
                store.close(durably=False)
