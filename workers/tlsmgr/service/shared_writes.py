"""Changes on their way to a shared store: nobody waits for them, and there is a bound to how many wait."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.shared_store.failures import SharedStoreError
from tlsmgr.shared_store.store import SharedChange

_log = logging.getLogger(__name__)

#: Changes that wait, and their bytes, at most; beyond, the oldest are dropped.
ENTRIES_MAX: Final = 10_000
BYTES_MAX: Final = 16 << 20
#: Some 40 us each, sealing included: so many hold the event loop for less than 2 ms.
_CHANGES_A_TRIP: Final = 16
_BYTES_A_TRIP: Final = 64 << 10
_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingChange:
    """A change that waits to be sent.

    Attributes:
        size: bytes that it takes while it waits.
        make: returns what to send; None when its time is over by then.
    """

    size: int
    make: Callable[[], SharedChange | None]


class SharedWrites:
    """Sends changes to a store, those that came first first; of one place, the last change counts.

    While the store cannot be asked they wait. What comes when too much waits pushes the oldest
    ones out, which is counted.

    Args:
        link: the store.
        mark: nothing is sent before its generation is known.

    Attributes:
        sent: changes that were made.
        refused: changes that the store refused.
        dropped: changes that were pushed out.
    """

    def __init__(self, link: SharedLink, mark: RevocationMark) -> None:
        self._link = link
        self._mark = mark
        self._waiting: OrderedDict[bytes, WaitingChange] = OrderedDict()
        self._under_way: dict[bytes, WaitingChange] = {}
        self._bytes = 0
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        self._generation = self._generation_under_way = 0
        self.sent = self.refused = self.dropped = 0
        mark.when_known(self._work_on)
        mark.when_moved(self.forget)
        link.when_it_works(self._work_on)

    def __contains__(self, place: bytes) -> bool:
        return place in self._waiting or place in self._under_way

    def __len__(self) -> int:
        return len(self._waiting) + len(self._under_way)

    def submit(self, place: bytes, change: WaitingChange) -> None:
        """Have a change made some time, instead of one of the same place that still waits."""
        self._take_out(place)
        self._put(place, change)
        while len(self._waiting) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            self._take_out(next(iter(self._waiting)))
            self.dropped += 1
            self._trouble.warning(
                "queue",
                "too many sessions wait for the shared store: the oldest are dropped; %d so far",
                self.dropped,
            )
        self._work_on()

    def forget(self) -> None:
        """Drop all that waits: it was revoked. What is under way is not tried again."""
        self._waiting.clear()
        self._bytes = 0
        self._generation += 1

    async def drain(self, seconds: float) -> None:
        """Wait until nothing waits any more, or for so long; then send no more."""
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=seconds)
            for task in late:
                task.cancel()
        self._is_closed = True

    def as_map(self) -> Mapping[str, object]:
        """Return the figures, for ``stats``."""
        return {
            "waiting": len(self),
            "waiting_bytes": self._bytes,
            "changes": {"sent": self.sent, "refused": self.refused, "dropped": self.dropped},
        }

    def _put(self, place: bytes, change: WaitingChange) -> None:
        self._waiting[place] = change
        self._bytes += change.size

    def _take_out(self, place: bytes) -> None:
        change = self._waiting.pop(place, None)
        if change is not None:
            self._bytes -= change.size

    def _work_on(self) -> None:
        if (self._task is None or self._task.done()) and self._may_send():
            self._task = self._loop.create_task(self._work())

    async def _work(self) -> None:
        while self._may_send():
            self._choose()
            if not await self._send():
                await asyncio.sleep(_PAUSE_SECONDS)

    def _may_send(self) -> bool:
        is_ready = self._link.lets_pass and self._mark.is_known and not self._is_closed
        return is_ready and bool(self._waiting)

    def _choose(self) -> None:
        size = 0
        self._generation_under_way = self._generation
        while self._waiting and len(self._under_way) < _CHANGES_A_TRIP and size < _BYTES_A_TRIP:
            place, change = next(iter(self._waiting.items()))
            self._take_out(place)
            self._under_way[place] = change
            size += change.size

    async def _send(self) -> bool:
        """Send what is under way; return whether the store did what could be done."""
        again = list[bytes]()
        try:
            made = {place: made for place, change in self._under_way.items() if (made := change.make())}
            again = list(made)
            if made:
                outcomes = await self._link.ask(
                    lambda store: store.apply(list(made.values())), is_quick=False
                )
                again = [place for place, error in zip(made, outcomes, strict=True) if self._failed(error)]
        except SharedStoreError:
            return False  # it has been told
        finally:
            self._put_back(again)
        return not again

    def _failed(self, error: SharedStoreError | None) -> bool:
        """Count an outcome; return whether the change is worth another try."""
        if error is None:
            self.sent += 1
            return False
        self._link.failed(error)
        self.refused += not error.cause.is_of_whole_store
        return error.cause.is_of_whole_store

    def _put_back(self, places: list[bytes]) -> None:
        if self._generation != self._generation_under_way:
            places = []  # sealed anew they would be of the present generation
        for place in reversed(places):
            if place not in self._waiting:  # or there is a later change
                self._put(place, self._under_way[place])
                self._waiting.move_to_end(place, last=False)
        self._under_way.clear()
