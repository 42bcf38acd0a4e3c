"""What the workers counted, as tables for people."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from tlsmgr.cli.terminal import aligned, clock_time, short_time
from tlsmgr.figures.families import AllStats, number
from tlsmgr.figures.histogram import quantile
from tlsmgr.figures.metric import CACHE_SERVER, EXPIRY_SWEEPER, PRNG_SERVER

_Row: TypeAlias = Sequence[str]
_NOTHING = "-"
_REASONS = ("absent", "expired", "damaged", "other_key", "unavailable", "disabled")


def tables(stats: AllStats, *, cache: str | None = None) -> Iterator[str]:
    """Yield the lines: of everything, or of one cache."""
    sections = [_caches(stats, [cache])] if cache else _all_sections(stats)
    for place, rows in enumerate(filter(None, sections)):
        if place:
            yield ""
        yield from aligned(rows, right=range(1 if cache else _LEFT.get(rows[0][0], 1), len(rows[0])))


def _all_sections(stats: AllStats) -> Iterator[list[_Row]]:
    yield _workers(stats)
    yield _caches(stats, [*_at(stats, CACHE_SERVER, "caches") | _at(stats, EXPIRY_SWEEPER, "caches")])
    yield _named("ticket keys", _at(stats, CACHE_SERVER, "ticket_keys", "requests"), _TICKET_KEYS)
    yield _named("farm", _at(stats, CACHE_SERVER, "farm"), _FARM)
    for store in _at(stats, CACHE_SERVER, "shared_stores"):
        yield _named(f"shared store {store}", _at(stats, CACHE_SERVER, "shared_stores", store), _SHARED_STORE)
    yield _named("seeds", _at(stats, CACHE_SERVER, "seeds"), _SEEDS)
    yield _named("random numbers", _at(stats, PRNG_SERVER), _RANDOM)
    yield _requests(stats)
    yield _connections(stats)


# How many columns of text each table begins with.
_LEFT = {"worker": 4, "requests": 3, "connections": 2}

_TICKET_KEYS = {
    "issued to encrypt with": "issued",
    "current, to decrypt": "current",
    "previous, to decrypt": "previous",
    "unknown": "unknown",
}
_FARM = {
    "ticket keys from": "source",
    "trouble": "trouble",
    "trouble with its file": "file_trouble",
    "secret": "fingerprint",
    "oldest epoch kept": "epoch",
    "keys forgotten": "advances",
    "catch-ups": "catch_ups",
    "keys made": "made",
    "keys adopted": "adopted",
    "keys tampered with": "tampered",
    "failures": "failures",
    "tickets from the future": "early_tickets",
}
_SHARED_STORE = {
    "its circuit breaker is": "state",
    "trouble": "trouble",
    "round trips": "round_trips",
    "forged marks of revocation": "forged_marks",
}
_SEEDS = {"from the pool": "pool", "from the kernel": "kernel"}
_RANDOM = {
    "source": "source",
    "source is": "source_state",
    "readings": "source_reads",
    "failed readings": "source_failures",
    "health alarms": "source_alarms",
    "exchanges with the file": "exchange_updates",
    "failed exchanges": "exchange_failures",
}


def _workers(stats: AllStats) -> list[_Row]:
    rows: list[_Row] = [("worker", "answers", "version", "counting since", "pid")]
    for name, figures in stats.items():
        if figures is None:
            rows.append((name, "no", *[_NOTHING] * 3))
        else:
            since = clock_time(number(figures.get("counting_since")) or 0)
            rows.append((name, "yes", str(figures.get("version")), since, str(figures.get("pid"))))
    return rows


def _caches(stats: AllStats, caches: Sequence[str]) -> list[_Row]:
    if not caches:
        return []
    rows: list[_Row] = [("cache", *caches)]
    for text, worker, show in _CACHE_LINES:
        cells = [show(_at(stats, worker, "caches", cache)) for cache in caches]
        rows.append((text, *cells))
    return rows


def _named(title: str, figures: Mapping[str, object], lines: Mapping[str, str]) -> list[_Row]:
    rows = [(text, str(figures[name])) for text, name in lines.items() if name in figures]
    return [(title, ""), *rows] if rows else []


def _requests(stats: AllStats) -> list[_Row]:
    rows: list[_Row] = [
        ("requests", "protocol", "method", "ok", "not done", "failed", "half within", "99% within")
    ]
    for worker in stats:
        for protocol in _at(stats, worker, "requests"):
            for method in _at(stats, worker, "requests", protocol):
                answers = _at(stats, worker, "requests", protocol, method, "answers")
                seconds = _at(stats, worker, "requests", protocol, method, "seconds")
                counts = [str(answers.get(status, _NOTHING)) for status in ("ok", "not_done", "failed")]
                rows.append(
                    (worker, protocol, method, *counts, _within(seconds, 0.5), _within(seconds, 0.99))
                )
    return rows if len(rows) > 1 else []


def _connections(stats: AllStats) -> list[_Row]:
    names = ("open", "accepted", "refused", "evicted", "dropped", "shortages")
    rows: list[_Row] = [("connections", "protocol", *names)]
    for worker in stats:
        for protocol in _at(stats, worker, "connections"):
            figures = _at(stats, worker, "connections", protocol)
            rows.append((worker, protocol, *(str(figures.get(name, _NOTHING)) for name in names)))
    return rows if len(rows) > 1 else []


def _at(stats: AllStats, worker: str, *way: str) -> dict[str, object]:
    found: object = stats.get(worker)
    for step in way:
        found = found.get(step) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _plain(name: str) -> Callable[[Mapping[str, object]], str]:
    return lambda figures: str(figures.get(name, _NOTHING))


def _enabled(figures: Mapping[str, object]) -> str:
    return "yes" if figures.get("enabled") else "no"


def _reason(name: str) -> Callable[[Mapping[str, object]], str]:
    def show(figures: Mapping[str, object]) -> str:
        by_reason = figures.get("misses_by_reason")
        return str(by_reason.get(name, _NOTHING)) if isinstance(by_reason, Mapping) else _NOTHING

    return show


def _shared_hits(figures: Mapping[str, object]) -> str:
    shared = figures.get("shared")
    lookups = shared.get("lookups") if isinstance(shared, Mapping) else None
    return str(lookups.get("hit", _NOTHING)) if isinstance(lookups, Mapping) else _NOTHING


def _hit_rate(figures: Mapping[str, object]) -> str:
    hits, misses = number(figures.get("hits")), number(figures.get("misses"))
    if hits is None or misses is None or not hits + misses:
        return _NOTHING
    return f"{100 * hits / (hits + misses):.1f}%"


def _age(name: str) -> Callable[[Mapping[str, object]], str]:
    def show(figures: Mapping[str, object]) -> str:
        seconds = number(figures.get(name))
        return short_time(seconds) if seconds else _NOTHING

    return show


def _last_sweep(figures: Mapping[str, object]) -> str:
    at = number(figures.get("last_at"))
    return clock_time(at) if at else _NOTHING


def _within(seconds: Mapping[str, object], share: float) -> str:
    bounds, counts = seconds.get("bounds"), seconds.get("counts")
    if not isinstance(bounds, list | tuple) or not isinstance(counts, list | tuple):
        return _NOTHING
    found = quantile(bounds, counts, share)
    if found is None:
        return _NOTHING
    return f"{found * 1000:g} ms" if found <= bounds[-1] else f"> {bounds[-1]:g} s"


_CACHE_LINES = (
    ("enabled", CACHE_SERVER, _enabled),
    ("entries", CACHE_SERVER, _plain("entries")),
    ("entries at most", CACHE_SERVER, _plain("entry_limit")),
    ("bytes on disk", CACHE_SERVER, _plain("bytes")),
    ("bytes at most", CACHE_SERVER, _plain("size_limit")),
    ("bytes in memory", CACHE_SERVER, _plain("memory_bytes")),
    ("age of the oldest", CACHE_SERVER, _age("oldest_age")),
    ("hits", CACHE_SERVER, _plain("hits")),
    ("misses", CACHE_SERVER, _plain("misses")),
    ("hit rate", CACHE_SERVER, _hit_rate),
    *((f"missed: {reason.replace('_', ' ')}", CACHE_SERVER, _reason(reason)) for reason in _REASONS),
    ("found in the shared store", CACHE_SERVER, _shared_hits),
    ("saved", CACHE_SERVER, _plain("stored")),
    ("deleted", CACHE_SERVER, _plain("removed")),
    ("gone before time", CACHE_SERVER, _plain("evictions")),
    ("sweeps", EXPIRY_SWEEPER, _plain("sweeps")),
    ("swept", EXPIRY_SWEEPER, _plain("dropped")),
    ("last sweep", EXPIRY_SWEEPER, _last_sweep),
)
