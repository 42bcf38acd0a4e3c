"""What came of it: resumptions that the rules allow, and what must never happen."""

from collections import Counter
from dataclasses import dataclass, field

#: Seconds of a bucket of the plot.
BUCKET_SECONDS = 1800


@dataclass(slots=True)
class Tally:
    """Counts; ``faults`` are in words, and empty when all is as it should be."""

    allowed: Counter[int] = field(default_factory=Counter)
    resumed: Counter[int] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def presented(self, time: float, *, is_allowed: bool, is_resumed: bool) -> None:
        """Count a ticket that came back."""
        bucket = int(time // BUCKET_SECONDS)
        if is_allowed:
            self.allowed[bucket] += 1
            self.resumed[bucket] += is_resumed
        else:
            self.other["resumed" if is_resumed else "refused"] += 1

    @property
    def share(self) -> float:
        """Of the resumptions that the rules allow, the share that succeeded."""
        return self.resumed.total() / max(1, self.allowed.total())

    def fault(self, text: str) -> None:
        """Take down what must not happen; the first few are enough."""
        if len(self.faults) < 20:  # noqa: PLR2004 - nobody reads more
            self.faults.append(text)
