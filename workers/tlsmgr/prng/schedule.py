"""When to reseed and when to save: intervals that outsiders cannot foretell, and back-off.

Times are seconds of one monotonic clock, which the caller reads and hands in.
"""

import math
from collections.abc import Callable

#: Postfix's timer fires again at once when the random byte is 0; no wait here is shorter.
SHORTEST_DELAY = 1.0

#: Waits after failures in a row: 1, 2, 4, ... seconds, and no longer than five minutes.
FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0


def next_delay(period: float, randbyte: int, *, floor: float = SHORTEST_DELAY) -> float:
    """Return the seconds to wait: ``period * randbyte / 255``, at least ``floor``.

    Args:
        period: the parameter's value in seconds: the longest wait, and half of it on average.
        randbyte: a random number, 0 to 255, drawn anew each time.
        floor: the shortest wait in seconds.
    """
    return max(period * randbyte / 255, floor)


def retry_delay(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, from 1."""
    # The exponent is bounded so that a source that is down for years makes no huge number.
    return min(FIRST_RETRY * 2.0 ** min(failures - 1, 16), LONGEST_RETRY)


class Timer:
    """Says when a task that comes again and again is due.

    It is due at once when it is new. The task's end is told by one of ``succeeded``,
    ``failed`` and ``stop``.

    Args:
        period: the longest wait after a success, in seconds. It may be set anew; a wait
            that has begun stays as it is.
        randbyte: draws a random number, 0 to 255.
    """

    __slots__ = ("_failures", "_randbyte", "_since", "_wait", "period")

    def __init__(self, period: float, randbyte: Callable[[], int]) -> None:
        self.period = period
        self._randbyte = randbyte
        self._since = 0.0
        self._wait = -math.inf
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def delay(self, now: float) -> float:
        """Return the seconds until the task is due: 0 when it is, infinity when it never is."""
        # Not a time to wait until, whose distance can be rounded to more than the period.
        return max(self._wait - (now - self._since), 0.0)

    def succeeded(self, now: float) -> None:
        """Wait for a random part of the period."""
        self._failures = 0
        self._begin(now, next_delay(self.period, self._randbyte()))

    def failed(self, now: float) -> float:
        """Wait longer with every failure in a row; return the seconds."""
        self._failures += 1
        delay = retry_delay(self._failures)
        self._begin(now, delay)
        return delay

    def stop(self) -> None:
        """Never be due again."""
        self._failures = 0
        self._begin(0.0, math.inf)

    def _begin(self, now: float, wait: float) -> None:
        self._since = now
        self._wait = wait
