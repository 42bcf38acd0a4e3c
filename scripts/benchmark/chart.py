"""The comparison as a picture: a bar for each ratio, ours to theirs, on a logarithmic scale.

It is SVG, drawn by hand, and readable on a light page and on a dark one: what is not a bar takes
the colour scheme of the reader.
"""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmark.report import Document, Line, name

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP, _BAR = 820, 310, 60, 64, 24, 15
_TITLE = "tlsmgr against Postfix's own, on the same machine in the same run"
_LEGEND = "Times as many requests a second; with one connection, times as quick. Short lines: targets."
_THEIRS = "debian"
_TICKS = (0.5, 1, 2, 4, 8, 16)
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; font-size: 15px; }
    .quiet { fill: #59636e; font-size: 12px; }
    .value { font-weight: 600; }
    .grid { stroke: #d1d9e0; } .one { stroke: #59636e; stroke-width: 2; }
    .must { stroke: #ffffff; stroke-width: 6; } .must + .must { stroke: #1f2328; stroke-width: 2; }
    .better { fill: #2f81c7; } .worse { fill: #cf6a3a; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .quiet { fill: #9198a1; }
      .grid { stroke: #3d444d; } .one { stroke: #9198a1; }
      .must { stroke: #0d1117; } .must + .must { stroke: #f0f6fc; }
    }
"""


def as_svg(document: Document) -> str:
    """Return the picture of all lines that hold ours against Postfix's own, and have a target."""
    bars = [
        (line, _times_faster(line))
        for line in document["cases"]
        if line["target"] and line["met"] and line["yardstick"] == _THEIRS
    ]
    height = _TOP + _STEP * len(bars) + 40
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{_TITLE}</title><style>{_STYLE}</style>",
            f'<text class="title" x="12" y="24">{_TITLE}</text>',
            f'<text class="quiet" x="12" y="44">{_LEGEND}</text>',
            *_scale(height),
            *(part for number, (line, times) in enumerate(bars) for part in _bar(number, line, times)),
            "</svg>\n",
        ]
    )


def _times_faster(line: Line) -> float:
    figure = _figure(line)
    return _turned(figure, line["ratio"][figure] or 1.0)


def _figure(line: Line) -> str:
    return line["target"]["figure"] if line["target"] else "rate"


def _turned(figure: str, ratio: float) -> float:
    """Return how many times as fast that is: half the latency is twice as fast."""
    return ratio if figure == "rate" else 1 / ratio


def _scale(height: int) -> Sequence[str]:
    bottom = height - 34
    return [
        f'<line class="{"one" if tick == 1 else "grid"}" x1="{_x(tick):.1f}" x2="{_x(tick):.1f}"'
        f' y1="{_TOP - 6}" y2="{bottom}"/>'
        f'<text class="quiet" x="{_x(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>'
        for tick in _TICKS
    ]


def _bar(number: int, line: Line, times: float) -> Sequence[str]:
    top = _TOP + _STEP * number
    start, end = sorted((_x(1), _x(times)))
    kind = "better" if times >= 1 else "worse"
    count = line["connections"]
    label = f"{name(line)}, {count} connection{'' if count == 1 else 's'}"
    if line["workload"].startswith("handshake"):
        label = name(line)
    beside = max(end, _x(_must_times(line))) + 8
    return [
        f'<text x="{_LEFT - 12}" y="{top + 12}" text-anchor="end">{escape(label)}</text>',
        f'<rect class="{kind}" x="{start:.1f}" y="{top}" width="{end - start:.1f}" height="{_BAR}" rx="2"/>',
        *_must(line, top),
        f'<text class="value" x="{beside:.1f}" y="{top + 12}">{times:.2f}</text>',
    ]


def _must(line: Line, top: int) -> Sequence[str]:
    # Twice, the wider one in the colour of the page, to be seen on the bar and beside it.
    at = _x(_must_times(line))
    return [f'<line class="must" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{top + _BAR}"/>'] * 2


def _must_times(line: Line) -> float:
    return _turned(_figure(line), line["target"]["must"]) if line["target"] else 1.0


def _x(times: float) -> float:
    low, high = math.log(_TICKS[0]), math.log(_TICKS[-1])
    share = (math.log(min(max(times, _TICKS[0]), _TICKS[-1])) - low) / (high - low)
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)
