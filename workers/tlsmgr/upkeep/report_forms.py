"""A day's figures as text, and as a page of HTML that needs nothing from elsewhere."""

import time
from collections.abc import Sequence
from html import escape

from tlsmgr.upkeep.day import Day, Line

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT = 384, 24
_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 50em; padding: 0 1em; color: #222 }}
h1 {{ font-size: 1.3em }} svg {{ display: block }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ padding: .25em .6em; border-bottom: 1px solid #ddd; text-align: left }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
rect {{ fill: #2b6cb0 }} p.bad {{ color: #b00020 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #ddd }} rect {{ fill: #63b3ed }} }}
</style></head><body>
<h1>{title}</h1>
{silent}<table><tr><th>figure</th><th>total or last</th><th>from {begins} to {ends}</th></tr>
{rows}</table></body></html>
"""
_ROW = '<tr><td>{name}</td><td class="n">{total}</td><td>{plot}</td></tr>\n'


def as_text(day: Day, host: str) -> str:
    """Return the report for a terminal or a mail: a line for each figure, with a small plot."""
    name_width = max(len(line.name) for line in day.lines)
    total_width = max(len(line.total) for line in day.lines)
    lines = [
        f"{line.name:<{name_width}}  {line.total:>{total_width}}  |{_bar(line.shares)}|" for line in day.lines
    ]
    return "\n".join([f"{_title(day, host)}", "", *lines, *_silent(day), ""])


def as_html(day: Day, host: str) -> str:
    """Return the report as a page without scripts, fonts or pictures from elsewhere."""
    rows = "".join(
        _ROW.format(name=escape(line.name), total=escape(line.total), plot=_plot(line)) for line in day.lines
    )
    silent = "".join(f'<p class="bad">{escape(text)}</p>\n' for text in _silent(day))
    return _PAGE.format(
        title=escape(_title(day, host)),
        rows=rows,
        silent=silent,
        begins=_clock(day.begins),
        ends=_clock(day.ends),
    )


def _title(day: Day, host: str) -> str:
    return f"tlsmgr on {host}, {_clock(day.begins)} to {_clock(day.ends)}"


def _clock(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _silent(day: Day) -> list[str]:
    return [f"{worker} does not answer now; see: tlsmgr ping" for worker in day.silent]


def _bar(shares: Sequence[float]) -> str:
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[0 if share <= 0 else max(1, round(share * last))] for share in shares)


def _plot(line: Line) -> str:
    width = _WIDTH / max(1, len(line.shares))
    bars = "".join(
        f'<rect x="{place * width:.1f}" y="{_HEIGHT * (1 - share):.1f}"'
        f' width="{width - 1:.1f}" height="{_HEIGHT * share:.1f}"/>'
        for place, share in enumerate(line.shares)
        if share > 0
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(line.name)}">{bars}</svg>'
    )
