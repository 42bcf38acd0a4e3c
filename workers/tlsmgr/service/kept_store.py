"""One cache's store, kept open: opened anew when it fails, looked after, closed in the end."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from tlsmgr.errors import Status, StoreBusyError, StoreDamagedError, StoreError, StoreHeldError
from tlsmgr.messages import StatusReply
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.service.commit_queue import CommitQueue
from tlsmgr.service.layered_store import LayeredStore
from tlsmgr.storage.sessions import Change, SessionStore

_log = logging.getLogger(__name__)

_NOT_SAVED = StatusReply(status=Status.NOT_DONE)

# Soon, since most causes are gone with a new start, and then less and less often.
_REOPEN_SECONDS, _LONGEST_REOPEN_SECONDS = 0.1, 5.0
# Another process that makes or opens the same store has it locked for some milliseconds.
_BUSY_SECONDS = 0.02
_UPKEEP_SECONDS = 1.0
_UPKEEP_PAUSE_SECONDS = 0.01

OpenStore = Callable[[], SessionStore]


class KeptStore:
    """Attaches a store to a cache's layers for as long as this is not closed.

    One that fails is opened anew, at once and then every few seconds. Where that cannot succeed,
    as in a chroot jail, what is open stays in use as long as it is not damaged.

    Args:
        layers: What the store is attached to.
        open_store: Opens it.
        label: The cache's name, for the log.
        clock: The time of day in seconds since 1970.
    """

    def __init__(
        self, layers: LayeredStore, open_store: OpenStore, label: str, clock: Callable[[], float]
    ) -> None:
        self._layers = layers
        self._open_store: OpenStore | None = open_store
        self._label = label
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        # One for all stores that there come to be: what waits in it is answered, whichever is open.
        self._queue = CommitQueue(self._apply, self.failed, self._move_log)
        self._next_attempt: asyncio.TimerHandle | None = None
        self._next_upkeep: asyncio.TimerHandle | None = None
        self._failures = 0
        self._is_in_trouble = False
        self._is_closed = False
        self._open(open_store)

    def submit(self, change: Change) -> StatusReply | asyncio.Future[StatusReply]:
        """Have a change made; it is not done at once while no store is open."""
        return _NOT_SAVED if self._layers.store is None or self._is_closed else self._queue.submit(change)

    def failed(self, error: StoreError) -> None:
        """Say why, and open the store anew in a while, if that may help: also when it was removed."""
        self._is_in_trouble = True
        cause = str(error)
        if isinstance(error, StoreBusyError | StoreHeldError) or self._is_closed:
            self._trouble.warning("store", "%s", cause, cause=cause)
        elif self._open_store is None:
            self._go_on_in_jail(error)
        elif self._next_attempt is None:
            self._trouble.warning("store", "%s; opening it anew until it works", cause, cause=cause)
            self._try_again(min(_REOPEN_SECONDS * 2.0**self._failures, _LONGEST_REOPEN_SECONDS))
            self._failures = min(self._failures + 1, 10)

    def enter_jail(self, last_open: OpenStore, open_store: OpenStore | None) -> None:
        """Get ready for a chroot jail.

        Args:
            last_open: Opens the store from outside, for the last time, if it is not open yet.
            open_store: Opens it from inside; None if it cannot be reached from there.
        """
        self._open_store = open_store
        if self._layers.store is None or open_store is None:
            self._cancel(self._next_attempt)
            self._next_attempt = None
        if self._layers.store is None:
            self._open(last_open)

    async def close(self, *, durably: bool) -> None:
        """Close the store when the changes under way are committed; what fails then is logged.

        Args:
            durably: As ``SessionStore.close`` has it; it may hold the event loop for a second.
        """
        self._is_closed = True
        try:
            await self._queue.drain()
        finally:
            self._cancel(self._next_attempt)
            self._cancel(self._next_upkeep)
            self._detach(durably=durably)

    def _detach(self, *, durably: bool) -> None:
        try:
            self._layers.detach(durably=durably)
        except StoreError as error:
            self._trouble.warning("close", "%s", error, cause=str(error))

    def _go_on_in_jail(self, error: StoreError) -> None:
        self._trouble.warning(
            "store",
            "%s; in the chroot jail it cannot be opened anew; if it stays so:"
            " supervisorctl restart tlsmgr:cache-server",
            error,
            cause=str(error),
        )
        if isinstance(error, StoreDamagedError):
            self._detach(durably=False)

    def _try_again(self, seconds: float) -> None:
        if self._open_store is not None:
            self._next_attempt = self._loop.call_later(seconds, self._reopen, self._open_store)

    def _reopen(self, open_store: OpenStore) -> None:
        self._next_attempt = None
        self._cancel(self._next_upkeep)
        self._detach(durably=False)
        self._open(open_store)

    def _open(self, open_store: OpenStore) -> None:
        try:
            self._layers.attach(open_store())
        except StoreBusyError as error:
            self.failed(error)
            self._try_again(_BUSY_SECONDS)
        except StoreError as error:
            self.failed(error)
        else:
            self._next_upkeep = self._loop.call_later(_UPKEEP_SECONDS, self._keep_up)

    def _apply(self, changes: Sequence[Change]) -> Sequence[bool]:
        done = self._layers.apply(changes)
        if self._is_in_trouble:
            # To open a store says little: a full disk shows itself when something is to be saved.
            self._is_in_trouble = False
            self._failures = 0
            self._trouble.recovered("store", "the %s session store works again", self._label)
        return done

    def _move_log(self) -> None:
        try:
            if self._layers.store is not None:
                self._layers.store.move_log()
        except StoreError as error:
            self.failed(error)

    def _keep_up(self) -> None:
        pause = _UPKEEP_SECONDS
        try:
            if self._layers.keep_up(self._clock()):
                pause = _UPKEEP_PAUSE_SECONDS
        except StoreBusyError:
            pause = _UPKEEP_PAUSE_SECONDS
        except StoreError as error:
            self.failed(error)
        if self._layers.store is not None:
            self._next_upkeep = self._loop.call_later(pause, self._keep_up)

    @staticmethod
    def _cancel(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
