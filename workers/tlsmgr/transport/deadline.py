"""A timer that runs or does not."""

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls once, unless it is ended before.

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
