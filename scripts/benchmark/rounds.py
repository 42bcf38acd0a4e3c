"""The rounds: every measurement of one server next to the same of the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmark.load import LoadError, LoadGenerator, Measurement
from benchmark.servers import Server
from benchmark.workloads import Protocol, Workload, encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the report: a yardstick and what is held against it, under the same load.

    Attributes:
        workload: What is asked.
        connections: How many ask at the same time.
        yardstick: The server that the ratios divide by, and the protocol that it is asked in.
        candidate: The other one; None for a limit that nothing is held against.
    """

    workload: Workload
    connections: int
    yardstick: tuple[Server, Protocol]
    candidate: tuple[Server, Protocol] | None


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


def cases(workloads: Sequence[Workload], yardstick: Server, candidate: Server) -> Iterator[Case]:
    """Give the cases of two servers: each workload, and our second protocol against the first."""
    for workload in workloads:
        for connections in workload.connections:
            yield Case(
                workload=workload,
                connections=connections,
                yardstick=(yardstick, Protocol.ATTRIBUTES),
                candidate=(candidate, Protocol.ATTRIBUTES),
            )
        if workload.name == "lookup":
            yield Case(
                workload=workload,
                connections=16,
                yardstick=(candidate, Protocol.ATTRIBUTES),
                candidate=(candidate, Protocol.RPC),
            )


def run(
    cases: Sequence[Case], load: LoadGenerator, *, rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Outcome]:
    """Measure every case once a round; who goes first changes from round to round.

    Raises:
        LoadError: A measurement failed, or a reply had another status than 0.
    """
    outcomes = [Outcome(case=case) for case in cases]
    for number in range(rounds):
        for outcome in outcomes:
            case = outcome.case
            say(f"round {number + 1} of {rounds}: {case.workload.name}, {case.connections} connections")
            outcome.rounds.append(_pair(case, load, seconds, candidate_first=number % 2 == 1))
    return outcomes


def _pair(case: Case, load: LoadGenerator, seconds: float, *, candidate_first: bool) -> Pair:
    if case.candidate is None:
        return Pair(yardstick=_measure(case, case.yardstick, load, seconds), candidate=None)
    if candidate_first:
        candidate = _measure(case, case.candidate, load, seconds)
        return Pair(yardstick=_measure(case, case.yardstick, load, seconds), candidate=candidate)
    yardstick = _measure(case, case.yardstick, load, seconds)
    return Pair(yardstick=yardstick, candidate=_measure(case, case.candidate, load, seconds))


def _measure(case: Case, side: tuple[Server, Protocol], load: LoadGenerator, seconds: float) -> Measurement:
    server, protocol = side
    path = server.path if protocol is Protocol.ATTRIBUTES else server.rpc_path
    if path is None:
        raise LoadError(f"{server.name} does not speak {protocol.value}")
    requests = encoded(case.workload.requests, protocol)
    measured = load.measure(path, protocol, requests, connections=case.connections, seconds=seconds)
    if measured.errors:
        raise LoadError(f"{server.name}: {case.workload.name}: {measured.errors} replies had no status 0")
    return measured
