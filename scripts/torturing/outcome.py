"""What came of it: for people, for programs, and for the documentation."""

import statistics
from dataclasses import dataclass

from rehearsal.load import Tally
from torturing.killing import Deaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run.

    Attributes:
        back_within: Seconds within which a killed worker has to answer again.
    """

    seed: int
    back_within: float
    seconds: float
    tally: Tally
    deaths: Deaths

    def complaints(self) -> list[str]:
        """Return what must not be; empty when everything promised was kept."""
        late = [
            f"{name} answered only {slowest:.2f} s after it was killed"
            for name, times in self.deaths.missed.items()
            if (slowest := max(times, default=0.0)) > self.back_within
        ]
        return [*self.tally.complaints, *self.deaths.complaints, *late]

    def document(self) -> dict[str, object]:
        """Return what the JSON file holds."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "kills": {name: len(times) for name, times in self.deaths.missed.items()},
            "missed_seconds": self.deaths.missed,
            "answered": dict(self.tally.answered),
            "promised": self.tally.promised,
            "refused": self.tally.refused,
            "unanswered": self.tally.unanswered,
            "verified": self.tally.verified,
            "complaints": self.complaints(),
        }

    def markdown(self) -> str:
        """Return the table of the documentation."""
        rows = [
            ("SIGKILLs", f"{self.deaths.count} in {self.seconds:.0f} s, seed {self.seed}"),
            ("requests answered", f"{self.tally.answered.total():,}"),
            ("updates answered with 0", f"{self.tally.promised:,}"),
            ("sessions promised at the end, found byte for byte", f"{self.tally.verified:,}"),
            ("requests that a kill of the cache server left without an answer", f"{self.tally.unanswered:,}"),
            ("changes and seeds refused (-1)", f"{self.tally.refused:,}"),
            ("sessions lost, replies of other requests, other faults", f"{len(self.complaints()):,}"),
            *(
                (f"{name}: killed, and seconds until it answered", _times(times))
                for name, times in self.deaths.missed.items()
            ),
        ]
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _times(times: list[float]) -> str:
    if not times:
        return "0"
    return f"{len(times)} times; median {statistics.median(times):.2f}, worst {max(times):.2f}"
