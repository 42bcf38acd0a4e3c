"""The rounds: every measurement of one server next to the same of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmark.load import Measurement
from benchmark.placement import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One server in one case.

    Attributes:
        label: What the report calls it.
        measure: Measures it for that many seconds.
    """

    label: str
    measure: Callable[[float], Measurement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the report: a yardstick and what is held against it, under the same load.

    Attributes:
        workload: The name of what is asked.
        connections: How many ask at the same time.
        placement: Where the servers and the load run.
        yardstick: The side that the ratios divide by.
        candidate: The other one; None for a limit that nothing is held against.
    """

    workload: str
    connections: int
    placement: Placement
    yardstick: Side
    candidate: Side | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One round of one case."""

    yardstick: Measurement
    candidate: Measurement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All rounds of one case."""

    case: Case
    rounds: list[Pair] = field(default_factory=list)

    def figure(self, name: str, *, of: str) -> float | None:
        """Return the median over the rounds of ``rate``, ``median`` or ``p99``, of either side."""
        sides = [getattr(each, of) for each in self.rounds]
        return None if None in sides else median(getattr(side, name) for side in sides)

    def ratio(self, name: str) -> float | None:
        """Return the median of the rounds' ratios, candidate to yardstick.

        A ratio of two runs next to each other says more than that of two medians: what
        else the machine did at the time, it did to both.
        """
        ratios = [
            getattr(each.candidate, name) / getattr(each.yardstick, name)
            for each in self.rounds
            if each.candidate is not None
        ]
        return median(ratios) if ratios else None


def run(cases: Sequence[Case], *, rounds: int, seconds: float, say: Callable[[str], None]) -> list[Outcome]:
    """Measure every case once a round; who goes first changes from round to round.

    Raises:
        LoadError: A measurement failed, or a reply had another status than 0.
    """
    outcomes = [Outcome(case=case) for case in cases]
    for number in range(rounds):
        for outcome in outcomes:
            case = outcome.case
            where = f"{case.connections} connections, {case.placement.value}"
            say(f"round {number + 1} of {rounds}: {case.workload}, {where}")
            outcome.rounds.append(_pair(case, seconds, candidate_first=number % 2 == 1))
    return outcomes


def _pair(case: Case, seconds: float, *, candidate_first: bool) -> Pair:
    if case.candidate is None:
        return Pair(yardstick=case.yardstick.measure(seconds), candidate=None)
    if candidate_first:
        candidate = case.candidate.measure(seconds)
        return Pair(yardstick=case.yardstick.measure(seconds), candidate=candidate)
    yardstick = case.yardstick.measure(seconds)
    return Pair(yardstick=yardstick, candidate=case.candidate.measure(seconds))
