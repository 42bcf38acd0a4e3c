"""How the figures look: 80 columns and 24 lines are enough."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tlsmgr.cli.live.figures import CacheView, Comparison, MethodView, at, mapping
from tlsmgr.cli.terminal import short_time

_NEAR, _NEARER = 0.75, 0.9
_WIDTH = 79
_BAR_WIDTH = 5
_NOTHING = "-"
_KEY_NAME_SHOWN = 16
_STATES = {"current": "green", "previous": "yellow", "over": "dim"}
_HEADING = "bold cyan"
_CACHE_COLUMNS = (
    *("CACHE", "LOOKUPS/s", "SAVES/s", "HITS", "EVER"),
    *("ENTRIES", "", "FULL", "BYTES", "FULL", "LOST"),
)


def draw(seen: Comparison, *, workers: Sequence[str], now: float, title: str) -> RenderableType:
    """Return the screen.

    Args:
        seen: The figures.
        workers: The names of all workers.
        now: The time of day in seconds since 1970.
        title: What stands in the first line.
    """
    return Group(
        Text(title.ljust(_WIDTH), style="reverse", no_wrap=True, overflow="ellipsis"),
        _workers(seen, workers),
        "",
        _caches(seen.caches()),
        "",
        _methods(seen.methods()),
        "",
        _keys(seen, now),
        _randomness(seen),
    )


def _table(*columns: str, left: int = 1) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=_HEADING, expand=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=True)
    return table


def _workers(seen: Comparison, workers: Sequence[str]) -> Table:
    table = _table("WORKER", "STATE", "UP", "REQUESTS/s", "CLIENTS", "VERSION", left=2)
    for name in workers:
        stats = seen.after.stats.get(name) or {}
        if not stats:
            reason = seen.after.silent.get(name, "no answer")
            table.add_row(name, Text(reason, style="bold red", overflow="ellipsis"), *[_NOTHING] * 4)
            continue
        clients = sum(each.get("open", 0) for each in mapping(stats.get("connections")).values())
        table.add_row(
            name,
            Text("answers", style="green"),
            short_time(stats.get("uptime", 0)),
            _rate(seen.requests(name)),
            str(clients),
            str(stats.get("version", _NOTHING)),
        )
    return table


def _caches(caches: Sequence[CacheView]) -> Table:
    table = _table(*_CACHE_COLUMNS)
    for cache in caches:
        table.add_row(
            cache.name,
            _rate(cache.lookups),
            _rate(cache.stored),
            _percent(cache.hit_rate),
            _percent(cache.hit_rate_since_start),
            _large(cache.entries),
            _bar(cache.entries, cache.entry_limit),
            _full(cache.entries, cache.entry_limit),
            _large(cache.size),
            _full(cache.size, cache.size_limit),
            Text(_large(cache.evictions), style="red" if cache.evictions else ""),
        )
    if not caches:
        table.add_row("none", *[_NOTHING] * (len(_CACHE_COLUMNS) - 1))
    return table


def _methods(methods: Sequence[MethodView]) -> Table:
    table = _table("REQUEST", "A SECOND", "HALF WITHIN", "99% WITHIN", "REFUSED")
    for method in methods:
        table.add_row(
            method.name,
            _rate(method.rate),
            _seconds(method.half_within),
            _seconds(method.most_within),
            Text(_large(method.failed), style="red" if method.failed else ""),
        )
    return table


def _keys(seen: Comparison, now: float) -> Table:
    table = _table("TICKET KEY", "STATE", "ENCRYPTS FOR", "DECRYPTS FOR", left=2)
    for key in seen.after.keys:
        state = str(key.get("state", _NOTHING))
        table.add_row(
            bytes(key.get("name", b"")).hex()[:_KEY_NAME_SHOWN] + "..",
            Text(state, style=_STATES.get(state, "")),
            *(_left(key.get(name), now) for name in ("encrypts_until", "decrypts_until")),
        )
    if not seen.after.keys:
        table.add_row("none", *[_NOTHING] * 3)
    return table


def _randomness(seen: Comparison) -> Text:
    prng = mapping(seen.after.stats.get("prng-server"))
    state = str(prng.get("source_state", "unknown"))
    good = state in {"good", "new", "spent"}
    kernel = at(seen.after.stats, "cache-server", "seeds", "kernel")
    kernel = kernel if isinstance(kernel, int) else 0
    return Text.assemble(
        ("ENTROPY ", _HEADING),
        (f"{prng.get('source') or 'source'} is {state}", "green" if good else "bold red"),
        f"; reseeds {at(prng, 'pool', 'reseeds') or 0}, alarms ",
        (str(prng.get("source_alarms", 0)), "bold red" if prng.get("source_alarms") else ""),
        ", seeds from the kernel ",
        (_large(kernel), "yellow" if kernel else ""),
        no_wrap=True,
        overflow="ellipsis",
    )


def _bar(part: int, whole: int) -> RenderableType:
    if not whole:
        return ""
    style = _warmth(part / whole)
    return ProgressBar(
        total=whole, completed=part, width=_BAR_WIDTH, complete_style=style, finished_style=style
    )


def _full(part: int, whole: int) -> Text:
    return Text(f"{part / whole:.0%}", style=_warmth(part / whole)) if whole else Text("none", style="dim")


def _warmth(share: float) -> str:
    return "red" if share >= _NEARER else "yellow" if share >= _NEAR else "green"


def _rate(value: float) -> str:
    return _large(round(value)) if value >= 10 or value == 0 else f"{value:.1f}"  # noqa: PLR2004 - two digits


def _large(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1000 if unit == 'k' else size):.3g}{unit}"
    return f"{number:.0f}"


def _percent(share: float | None) -> str:
    return _NOTHING if share is None else f"{share:.0%}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    if seconds > 1:
        return "> 1 s"
    return f"{seconds * 1e3:g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"  # noqa: PLR2004 - a unit


def _left(when: object, now: float) -> Text:
    left = when - now if isinstance(when, int | float) else 0
    return Text(short_time(left)) if left > 0 else Text("over", style="dim")
