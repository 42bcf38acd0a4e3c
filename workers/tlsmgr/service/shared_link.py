"""A shared store as the session caches use it: never asked while it does not answer, and watched then.

Nobody waits here for a deadline of 20 ms: who asks has one of his own. But an answer that comes
later counts as none for the circuit breaker: a store that is always late is as good as down.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from tlsmgr.going_on import going_on
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.shared_store.breaker import BreakerState, CircuitBreaker
from tlsmgr.shared_store.failures import Cause, SharedStoreError
from tlsmgr.shared_store.store import SharedStore

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: Seconds that a client's request waits for the store, at most. Timers count in whole milliseconds,
#: and the answer still has to be written: the promise is 20.
DEADLINE_SECONDS: Final = 0.018


class SharedLink:
    """One store, with its circuit breaker, which is open at first: nobody asks before the first probe.

    Args:
        store: the store; this object closes it.
        where: its address, as it may be shown.
        luck: returns numbers from 0 to 1, which spread the probes of many hosts.
        deadline: seconds after which an answer is late.

    Attributes:
        deadline: see above.
        round_trips: commands that were sent, a group of changes counting once.
        failures: how many of them failed, by cause.
        trouble: the last failure's message; empty when all is well.
    """

    def __init__(
        self,
        store: SharedStore,
        where: str,
        luck: Callable[[], float],
        *,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self.deadline = deadline
        self._store = store
        self._where = where
        self._luck = luck
        self._loop = asyncio.get_running_loop()
        self._breaker = CircuitBreaker(state=BreakerState.OPEN, probe_at=self._loop.time())
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._is_told = False
        self._needs_probe = asyncio.Event()
        self._needs_probe.set()
        self._when_it_works: list[Callable[[], None]] = []
        self._probing: asyncio.Task[None] | None = None
        # A cancellation may get lost in redis-py: whatever goes on and on looks at this as well.
        self._is_closed = False
        self.round_trips = 0
        self.failures: Counter[Cause] = Counter()
        self.trouble = ""

    @property
    def lets_pass(self) -> bool:
        """Whether the store may be asked now."""
        return self._breaker.lets_pass

    @property
    def store(self) -> SharedStore:
        """The store itself, for who has time, and needs no breaker."""
        return self._store

    def when_it_works(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` each time that the breaker closes."""
        self._when_it_works.append(callback)

    def start(self) -> None:
        """Begin to look whether the store answers."""
        self._probing = self._loop.create_task(self._probe_when_needed())

    async def close(self) -> None:
        """End all connections, and what is under way."""
        self._is_closed = True
        if self._probing is not None:
            self._probing.cancel()
        try:
            await self._store.close()
        except SharedStoreError as error:
            _log.info("%s", error)

    async def ask(self, command: Callable[[SharedStore], Awaitable[_T]], *, is_quick: bool = True) -> _T:
        """Return what the store answers to a command, however late.

        Args:
            command: sends it.
            is_quick: whether a late answer is a failure of the store.

        Raises:
            SharedStoreError: it failed; that has been counted and logged. Or the link is closed.
        """
        if self._is_closed:
            raise SharedStoreError(Cause.UNREACHABLE, f"shared store {self._where} is not used any more")
        self.round_trips += 1
        late = self._loop.call_later(self.deadline, self._was_late, is_quick)
        ends_in_time = self._loop.time() + self.deadline
        try:
            answer = await command(self._store)
        except SharedStoreError as error:
            if not is_quick or self._loop.time() < ends_in_time:  # else it has been taken note of
                self.failed(error)
            raise
        finally:
            late.cancel()
        if self._loop.time() < ends_in_time:
            self._breaker = self._breaker.succeeded()
        return answer

    def failed(self, error: SharedStoreError) -> None:
        """Take note of a failure."""
        self.failures[error.cause] += 1
        self.trouble = str(error)
        self._is_told |= self._trouble.warning("store", "%s", error, cause=error.cause.value)
        if error.cause.is_of_whole_store:
            self._breaker = self._breaker.failed(self._loop.time(), self._luck())
            if not self._breaker.lets_pass:
                self._needs_probe.set()

    def as_map(self) -> Mapping[str, object]:
        """Return the figures, for ``stats``."""
        return {
            "state": self._breaker.state.value,
            "up": self.lets_pass,
            "trouble": "" if self.lets_pass else self.trouble,
            "round_trips": self.round_trips,
            "failures": {cause.value: self.failures[cause] for cause in Cause},
        }

    def _was_late(self, is_quick: bool) -> None:  # noqa: FBT001  # as call_later passes it
        if is_quick:
            message = f"shared store {self._where} is slow: no answer within 20 ms"
            self.failed(SharedStoreError(Cause.SLOW, message))

    async def _probe_when_needed(self) -> None:
        while not self._is_closed:
            await self._needs_probe.wait()
            await asyncio.sleep(max(0.0, self._breaker.probe_at - self._loop.time()))
            self._breaker = self._breaker.probing(self._loop.time())
            if self._breaker.state is BreakerState.HALF_OPEN:
                with going_on(_log, f"looking whether the shared store {self._where} answers"):
                    await self._probe()
                # Nobody else would ever close it.
                self._breaker = self._breaker.probe_failed(self._loop.time(), self._luck())

    async def _probe(self) -> None:
        try:
            self.round_trips += 2
            # The first one may have to connect, which takes longer.
            await self._store.ping()
            begun = self._loop.time()
            await self._store.ping()
        except SharedStoreError as error:
            self._probe_failed(error)
            return
        if self._loop.time() - begun > self.deadline:
            message = f"shared store {self._where} is slow: no answer within 20 ms"
            self._probe_failed(SharedStoreError(Cause.SLOW, message))
        else:
            self._probe_succeeded()

    def _probe_failed(self, error: SharedStoreError) -> None:
        self.failed(error)
        if error.cause is Cause.RIGHTS:
            self._probe_succeeded()  # it answers; PING is what we may not
        else:
            self._breaker = self._breaker.probe_failed(self._loop.time(), self._luck())

    def _probe_succeeded(self) -> None:
        self._breaker = self._breaker.probe_succeeded()
        self._needs_probe.clear()
        if self._is_told:
            self._is_told = False
            _log.info("shared store %s works again", self._where)
        for callback in self._when_it_works:
            callback()
