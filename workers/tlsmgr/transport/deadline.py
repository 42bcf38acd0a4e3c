"""What a client may take of our time, and the timers for that."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How many seconds a client may take."""

    half_request: float = 30.0  #: to send the rest of a request that it began
    write: float = 10.0  #: to read answers, once the kernel does not take all of them


class Deadline:
    """A timer that runs or does not; it calls once, unless it is ended before.

    Attributes:
        timer: None while it does not run.
    """

    __slots__ = ("timer",)

    def __init__(self) -> None:
        self.timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float, on_late: Callable[[], None]) -> None:
        """Call ``on_late`` after so many seconds; while already running, do nothing."""
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(seconds, on_late)

    def end(self) -> None:
        """Call no more; the callback is let go too."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
