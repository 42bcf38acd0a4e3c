"""Whether memory and descriptors are flat."""

from collections.abc import Sequence
from dataclasses import dataclass

from soaking.sampling import Sample, growth, series

#: The first part of a run fills caches and pools: it is drawn, and not judged.
WARM_UP = 0.25

#: A shorter run is all warm-up.
_SECONDS_MIN = 300.0

#: What a series may grow by after that, in its own unit: an interpreter's allocator keeps what
#: it once had.
_ALLOWED = {"memory, MiB": 2.0, "descriptors": 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One series: its last figure, and how much it grew after the warm-up.

    Attributes:
        allowed: What it may grow by; None for one that is only drawn.
    """

    name: str
    last: float
    grown: float
    allowed: float | None

    @property
    def is_flat(self) -> bool:
        """Whether it grew by no more than it may."""
        return self.allowed is None or self.grown <= self.allowed


def judge(samples: Sequence[Sample]) -> list[Judgement]:
    """Judge every series of a run."""
    end = samples[-1].seconds
    allowed = _ALLOWED if end >= _SECONDS_MIN else {}
    return [
        Judgement(
            name=name,
            last=points[-1][1],
            grown=growth([point for point in points if point[0] >= end * WARM_UP]),
            allowed=next((most for ending, most in allowed.items() if name.endswith(ending)), None),
        )
        for name, points in series(samples).items()
    ]


def markdown(judgements: Sequence[Judgement]) -> str:
    """Return the table of the documentation."""
    rows = [f"| {each.name} | {each.last:,.1f} | {each.grown:+,.2f} | {_word(each)} |" for each in judgements]
    return "\n".join(["| | at the end | growth after the warm-up | |", "|---|---|---|---|", *rows])


def _word(judgement: Judgement) -> str:
    if judgement.allowed is None:
        return ""
    return "flat" if judgement.is_flat else f"GROWS (allowed: {judgement.allowed:g})"
