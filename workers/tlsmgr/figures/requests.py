"""Requests of one protocol: how many, how answered, how fast."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from tlsmgr.errors import Status
from tlsmgr.figures.histogram import LATENCY_BOUNDS, Histogram

# One request in so many is timed: to look at the clock twice would take a tenth of a lookup's
# time. A prime, so that a client that asks the same few things in turn has all of them timed.
_TIMED_ONE_IN = 17

#: The method of what is not to be understood, or no request at all.
MALFORMED: Final = "malformed"
#: What tells methods apart: a method's name, or the type that its requests have.
MethodKey: TypeAlias = type | str


class RequestFigures:
    """Counts every answer, and times some.

    Who answers counts ``until_timed`` down with each request. At 0 it begins a timing, and ends it
    with ``timed``. To count an answer is ``rows[key][status] += 1``: a row has as many places as there
    are statuses, which are 0, -1 and -2, and so stand for the first, the last, the last but one.

    Attributes:
        rows: The counts, by what tells the methods apart.
        until_timed: Requests until one is to be timed; the first one is.
        refused: Requests of a known form that ask for what there is not.
        clock: As given.

    Args:
        clock: A monotonic clock in seconds.
        method_name: Gives a key of ``rows`` its name in ``as_map``.
    """

    __slots__ = ("_latencies", "_method_name", "clock", "refused", "rows", "until_timed")

    def __init__(self, clock: Callable[[], float], method_name: Callable[[MethodKey], str]) -> None:
        self.clock = clock
        self._method_name = method_name
        self.rows: defaultdict[MethodKey, list[int]] = defaultdict(_row)
        self.until_timed = 1
        self.refused = 0
        self._latencies: defaultdict[MethodKey, Histogram] = defaultdict(_latency)

    @property
    def protocol_errors(self) -> int:
        """How often a client did not keep to the protocol."""
        malformed = (row for key, row in self.rows.items() if self._method_name(key) == MALFORMED)
        return self.refused + sum(row[Status.FAILED] for row in malformed)

    def begin_timing(self) -> float:
        """Return the time, and wait for the next request to be timed."""
        self.until_timed = _TIMED_ONE_IN
        return self.clock()

    def timed(self, key: MethodKey, begun: float) -> None:
        """Take note of how long an answer took."""
        self._latencies[key].observe(self.clock() - begun)

    def as_map(self) -> Mapping[str, object]:
        """Return, by method, ``answers`` by status, and ``seconds`` where one was timed."""
        shown: dict[str, dict[str, object]] = {}
        for key, row in self.rows.items():
            answers = {status.name.lower(): row[status] for status in Status}
            shown[self._method_name(key)] = {"answers": answers}
        for key, latency in self._latencies.items():
            shown.setdefault(self._method_name(key), {})["seconds"] = latency.as_map()
        return shown


def _row() -> list[int]:
    return [0] * len(Status)


def _latency() -> Histogram:
    return Histogram(LATENCY_BOUNDS)
