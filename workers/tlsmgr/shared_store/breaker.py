"""A circuit breaker as a value: when not to ask a store that does not answer.

Closed, everybody asks. After a few failures in a row it opens: nobody asks for a second. When
that is over, one probe asks; no client's request does. If the probe fails, the pause
doubles, to a minute at most; if it succeeds, the breaker closes. The time is an argument, in
seconds of a monotonic clock, and so is the luck: a number from 0 to 1 that spreads the probes of many hosts.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

FAILURES_MAX: Final = 5
PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
#: What luck takes off a pause, at most: half of it would have hosts ask in a herd less, but too early.
_SPREAD: Final = 0.25


class BreakerState(Enum):
    """Who may ask."""

    CLOSED = "closed"  #: everybody
    OPEN = "open"  #: nobody
    HALF_OPEN = "half_open"  #: a probe is under way


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """What is known of a store's health; each event gives another value.

    Attributes:
        state: who may ask.
        failures: how many there were in a row while it was closed.
        pause: the last pause in seconds, before luck; 0 when all is well.
        probe_at: when a probe is due, while it is open.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    pause: float = 0.0
    probe_at: float = 0.0

    @property
    def lets_pass(self) -> bool:
        """Whether a request may be sent."""
        return self.state is BreakerState.CLOSED

    def failed(self, now: float, luck: float) -> "CircuitBreaker":
        """Return what comes of a failed request.

        One that was sent before it opened says nothing new, whenever it fails.
        """
        if self.state is not BreakerState.CLOSED:
            return self
        if self.failures + 1 < FAILURES_MAX:
            return replace(self, failures=self.failures + 1)
        return self._opened(now, luck)

    def succeeded(self) -> "CircuitBreaker":
        """Return what comes of a request that was answered; the next pause is a short one again."""
        if self.state is not BreakerState.CLOSED or not (self.failures or self.pause):
            return self
        return CircuitBreaker()

    def probing(self, now: float) -> "CircuitBreaker":
        """Return the breaker with a probe under way, if one is due; else the same value."""
        if self.state is not BreakerState.OPEN or now < self.probe_at:
            return self
        return replace(self, state=BreakerState.HALF_OPEN)

    def probe_failed(self, now: float, luck: float) -> "CircuitBreaker":
        """Return what comes of a probe that failed: a pause of twice the length."""
        return self if self.state is not BreakerState.HALF_OPEN else self._opened(now, luck)

    def probe_succeeded(self) -> "CircuitBreaker":
        """Return it closed. Its pause stays until a request is answered, too.

        A store that answers probes and nothing else is not asked every second.
        """
        if self.state is not BreakerState.HALF_OPEN:
            return self
        return CircuitBreaker(pause=self.pause)

    def _opened(self, now: float, luck: float) -> "CircuitBreaker":
        pause = min(self.pause * 2.0 or PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        probe_at = now + pause * (1.0 - _SPREAD * luck)
        return CircuitBreaker(state=BreakerState.OPEN, pause=pause, probe_at=probe_at)
