"""A day's figures out of snapshots, as values: what was counted in each part of the day."""

from collections.abc import Sequence
from dataclasses import dataclass

from tlsmgr.upkeep.history import Snapshot

CACHES = ("smtpd", "smtp", "lmtp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the report: a name, the day's total in words, and a value for each part of the day.

    ``top`` is what a plot's full height means; 0 for the largest of the values.
    """

    name: str
    total: str
    values: Sequence[float]
    top: float = 0.0

    @property
    def shares(self) -> list[float]:
        """Each value as a part of the plot's height, 0 to 1."""
        top = self.top or max(self.values, default=0.0) or 1.0
        return [value / top for value in self.values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the report shows. ``begins`` and ``ends`` are seconds since 1970."""

    begins: int
    ends: int
    lines: Sequence[Line]
    silent: Sequence[str]


def make_day(snapshots: Sequence[Snapshot], *, begins: int, ends: int, parts: int = 24) -> Day:
    """Return the figures from ``begins`` to ``ends``, in ``parts`` of the same length.

    What was counted between two snapshots belongs to the part with the later one. A counter
    that went down was begun anew, by a worker that was restarted.
    """
    table = _Table(snapshots, begins, ends, parts)
    lines = [line for cache in CACHES for line in _cache_lines(table, cache)]
    lines += [
        table.sum("ticket keys given out", "cache-server.ticket_keys.issued"),
        table.sum("seeds from the pool", "cache-server.seeds.pool"),
        table.sum("seeds from the kernel", "cache-server.seeds.kernel"),
        table.sum("connections refused", "cache-server.connections.postfix.refused"),
        table.sum("failed source readings", "prng-server.source_failures"),
    ]
    silent = snapshots[-1].silent if snapshots else ()
    return Day(begins=begins, ends=ends, lines=lines, silent=silent)


def _cache_lines(table: "_Table", cache: str) -> list[Line]:
    prefix = f"cache-server.caches.{cache}"
    hits = table.increases(f"{prefix}.hits")
    misses = table.increases(f"{prefix}.misses")
    rates = [100 * hit / (hit + miss) if hit + miss else 0.0 for hit, miss in zip(hits, misses, strict=True)]
    asked = sum(hits) + sum(misses)
    shown = f"{100 * sum(hits) / asked:.1f}%" if asked else "-"
    return [
        Line(
            name=f"{cache} lookups",
            total=f"{asked:.0f}",
            values=[hit + miss for hit, miss in zip(hits, misses, strict=True)],
        ),
        Line(name=f"{cache} hit rate", total=shown, values=rates, top=100.0),
        table.sum(f"{cache} sessions saved", f"{prefix}.stored"),
        table.last(f"{cache} entries", f"{prefix}.entries"),
        table.last(f"{cache} bytes", f"{prefix}.bytes"),
    ]


class _Table:
    def __init__(self, snapshots: Sequence[Snapshot], begins: int, ends: int, parts: int) -> None:
        self._snapshots = snapshots
        self._begins = begins
        self._seconds = max(1, ends - begins)
        self._parts = parts

    def increases(self, name: str) -> list[float]:
        """Return by how much a counter went up in each part."""
        values = [0.0] * self._parts
        former: float | None = None
        for snapshot in self._snapshots:
            now = snapshot.figures.get(name)
            if now is None:
                continue
            part = self._part(snapshot.time)
            if former is not None and part is not None:
                # A counter that went down was begun anew, by a worker that was restarted.
                values[part] += now - former if now >= former else now
            former = now
        return values

    def sum(self, name: str, figure: str) -> Line:
        """Return the line of a counter."""
        values = self.increases(figure)
        return Line(name=name, total=f"{sum(values):.0f}", values=values)

    def last(self, name: str, figure: str) -> Line:
        """Return the line of what goes up and down."""
        values = [0.0] * self._parts
        latest = "-"
        for snapshot in self._snapshots:
            now = snapshot.figures.get(figure)
            part = self._part(snapshot.time)
            if now is not None and part is not None:
                values[part] = now
                latest = f"{now:.0f}"
        return Line(name=name, total=latest, values=values)

    def _part(self, time: int) -> int | None:
        if not self._begins <= time <= self._begins + self._seconds:
            return None
        return min((time - self._begins) * self._parts // self._seconds, self._parts - 1)
