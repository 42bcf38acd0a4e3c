"""The targets: how our server has to compare with Postfix's own, and how it should."""

from dataclasses import dataclass

from benchmark.placement import Placement, usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a ratio, ours to the other's, has to be.

    Attributes:
        figure: ``rate``, requests a second, of which more is better, or ``median``, the latency.
        must: What has to be reached.
        aim: What is aimed for; None when that is the same.
    """

    figure: str
    must: float
    aim: float | None = None

    def is_met_by(self, ratio: float) -> bool:
        """Tell whether a ratio reaches what it must."""
        return _reaches(self.figure, ratio, self.must)

    def is_aimed_by(self, ratio: float) -> bool:
        """Tell whether a ratio reaches what is aimed for."""
        return _reaches(self.figure, ratio, self.must if self.aim is None else self.aim)


def target_of(workload: str, connections: int, placement: Placement) -> Target | None:
    """Return a case's target; None where it has none, such as with an unusual placement."""
    return _TARGETS.get((workload, connections)) if placement is usual(connections) else None


def _reaches(figure: str, ratio: float, wanted: float) -> bool:
    return ratio >= wanted if figure == "rate" else ratio <= wanted


_TARGETS = {
    ("policy", 1): Target(figure="median", must=0.9, aim=0.6),
    ("policy", 16): Target(figure="rate", must=2.0, aim=3.0),
    ("tktkey", 1): Target(figure="median", must=0.9, aim=0.6),
    ("tktkey", 16): Target(figure="rate", must=2.0, aim=3.0),
    ("seed", 1): Target(figure="median", must=1.0, aim=0.8),
    ("seed", 16): Target(figure="rate", must=1.5, aim=2.0),
    ("lookup", 1): Target(figure="median", must=0.9, aim=0.6),
    ("lookup", 16): Target(figure="rate", must=2.0, aim=3.0),
    ("million", 1): Target(figure="median", must=1.2, aim=1.0),
    ("million", 16): Target(figure="rate", must=1.0, aim=1.5),
    ("update", 1): Target(figure="median", must=0.8, aim=0.5),
    ("update", 16): Target(figure="rate", must=5.0, aim=8.0),
    ("update", 64): Target(figure="rate", must=7.0, aim=11.0),
    ("mixed", 16): Target(figure="rate", must=2.5, aim=4.0),
    ("lookup, rpc", 16): Target(figure="rate", must=1.0),
    ("update, at a limit", 16): Target(figure="rate", must=0.5),
    ("update, at a limit", 64): Target(figure="rate", must=0.5),
    ("lookup, shared", 1): Target(figure="median", must=1.05),
    ("lookup, shared", 16): Target(figure="rate", must=0.95),
    ("handshake, full, ticket made", 1): Target(figure="rate", must=0.95),
    ("handshake, full, session saved", 1): Target(figure="rate", must=0.95),
    ("handshake, resumed by ticket", 1): Target(figure="rate", must=0.95),
    ("handshake, resumed by session id", 1): Target(figure="rate", must=0.95),
}
