"""How often a value fell between which bounds, as Prometheus's histograms have it."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

#: Seconds that an answer takes: 5 us to 1 s.
LATENCY_BOUNDS: Sequence[float] = (
    *(5e-06, 1e-05, 2.5e-05, 5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
#: Seconds that a session is old when it is found: a second to a day.
AGE_BOUNDS: Sequence[float] = (1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)


class Histogram:
    """Counts values by the first bound that is not below them.

    Attributes:
        bounds: In ascending order.
        counts: One count for each bound, and one for what is above the last.
        total: The sum of all values.

    Whoever cannot spare a function's call does what ``observe`` does.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def as_map(self) -> Mapping[str, object]:
        """Return ``bounds``, ``counts`` (not cumulative), ``count`` and ``sum``, for ``stats``."""
        return {
            "bounds": list(self.bounds),
            "counts": list(self.counts),
            "count": sum(self.counts),
            "sum": self.total,
        }


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """Return the bound below which that share of the values lies; None without values.

    Args:
        bounds: as of a Histogram.
        counts: likewise.
        share: above 0, up to 1.

    Returns:
        The value is no more than this; infinity when it is above the last bound.
    """
    wanted = share * sum(counts)
    if wanted <= 0:
        return None
    seen = 0.0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        seen += count
        if seen >= wanted:
            return bound
    return float("inf")
