"""What two looks at the workers come to. Figures that a worker does not have are left out, or 0."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tlsmgr.figures.histogram import quantile

#: The requests of Postfix, in the order of the screen.
METHODS = ("seed", "policy", "lookup", "update", "delete", "tktkey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the workers said at one time.

    Attributes:
        at: Seconds, of any origin.
        stats: What each worker said to ``stats``; an empty map for one that did not answer.
        silent: Why it did not, in a few words.
        keys: What the cache server said to ``keys``.
    """

    at: float
    stats: Mapping[str, Mapping[str, Any]]
    silent: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheView:
    """One cache: rates a second, shares from 0 to 1, or None where nothing was asked."""

    name: str
    lookups: float
    stored: float
    hit_rate: float | None
    hit_rate_since_start: float | None
    entries: int
    entry_limit: int
    size: int
    size_limit: int
    evictions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodView:
    """One kind of request, over both protocols: how many a second, and seconds that they take."""

    name: str
    rate: float
    half_within: float | None
    most_within: float | None
    failed: int


class Comparison:
    """The figures of ``after``, and how fast they grew since ``before``.

    A worker that was started anew in between counts from 0.
    """

    def __init__(self, before: Look, after: Look) -> None:
        self._before = before
        self.after = after
        self._seconds = max(1e-3, after.at - before.at)

    def caches(self) -> list[CacheView]:
        """Return all caches that are enabled."""
        found = at(self.after.stats, "cache-server", "caches")
        return [self._cache(name) for name in mapping(found) if mapping(found)[name].get("enabled", True)]

    def methods(self) -> list[MethodView]:
        """Return Postfix's six requests."""
        return [self._method(name) for name in METHODS]

    def rate(self, *way: str) -> float:
        """Return by how much the figure at the end of ``way`` (a worker first) grew in a second."""
        return self._growth(*way) / self._seconds

    def requests(self, worker: str) -> float:
        """Return how many requests of any kind a worker answered in a second."""
        found = mapping(at(self.after.stats, worker, "requests"))
        return sum(
            self.rate(worker, "requests", protocol, method, "answers", status)
            for protocol in found
            for method in mapping(found[protocol])
            for status in mapping(mapping(found[protocol])[method].get("answers"))
        )

    def _cache(self, name: str) -> CacheView:
        way = ("cache-server", "caches", name)
        now = mapping(at(self.after.stats, *way))
        hits, misses = self._growth(*way, "hits"), self._growth(*way, "misses")
        return CacheView(
            name=name,
            lookups=(hits + misses) / self._seconds,
            stored=self.rate(*way, "updates"),
            hit_rate=_share(hits, hits + misses),
            hit_rate_since_start=_share(_number(now, "hits"), _number(now, "hits") + _number(now, "misses")),
            entries=_number(now, "entries"),
            entry_limit=_number(now, "entry_limit"),
            size=_number(now, "bytes"),
            size_limit=_number(now, "size_limit"),
            evictions=_number(now, "evictions"),
        )

    def _method(self, name: str) -> MethodView:
        protocols = mapping(at(self.after.stats, "cache-server", "requests"))
        ways = [("cache-server", "requests", protocol, name) for protocol in protocols]
        bounds, counts = self._latencies(ways)
        return MethodView(
            name=name,
            rate=sum(
                self.rate(*way, "answers", status)
                for way in ways
                for status in mapping(at(self.after.stats, *way, "answers"))
            ),
            half_within=quantile(bounds, counts, 0.5) if bounds else None,
            most_within=quantile(bounds, counts, 0.99) if bounds else None,
            failed=sum(_number(mapping(at(self.after.stats, *way, "answers")), "failed") for way in ways),
        )

    def _latencies(self, ways: Sequence[tuple[str, ...]]) -> tuple[Sequence[float], list[int]]:
        """Return the histogram since the start: in one second there are too few of most."""
        bounds: Sequence[float] = ()
        counts: list[int] = []
        for way in ways:
            seconds = mapping(at(self.after.stats, *way, "seconds"))
            found = list(seconds.get("counts", ()))
            if len(found) == len(seconds.get("bounds", ())) + 1:
                bounds = seconds["bounds"]
                counts = [one + other for one, other in zip(counts or [0] * len(found), found, strict=True)]
        return bounds, counts

    def _growth(self, *way: str) -> float:
        now, then = (at(look.stats, *way) for look in (self.after, self._before))
        if not isinstance(now, int | float):
            return 0.0
        if self._is_new(way[0]) or not isinstance(then, int | float):
            return 0.0 if self._was_silent(way[0]) else float(now)
        return float(now - then)

    def _is_new(self, worker: str) -> bool:
        return at(self.after.stats, worker, "pid") != at(self._before.stats, worker, "pid")

    def _was_silent(self, worker: str) -> bool:
        # Whether it counted or not, what it has is of longer ago than the look before.
        return not self._before.stats.get(worker)


def at(stats: object, *way: str) -> object:
    """Return what is at the end of a way through maps; None where it leads nowhere."""
    for step in way:
        stats = stats.get(step) if isinstance(stats, Mapping) else None
    return stats


def mapping(found: object) -> Mapping[str, Any]:
    """Return a map as it is, and for anything else an empty one."""
    return found if isinstance(found, Mapping) else {}


def _number(figures: Mapping[str, Any], name: str) -> int:
    found = figures.get(name)
    return found if isinstance(found, int) else 0


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
