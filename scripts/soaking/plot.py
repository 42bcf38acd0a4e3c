"""The plot: one small panel for each series, as SVG, without any library."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias
from xml.sax.saxutils import escape

from soaking.sampling import Sample, series
from soaking.verdict import WARM_UP

Panels: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 720, 110, 70, 24, 22
_INNER_WIDTH = _WIDTH - _LEFT - 20
_INNER_HEIGHT = _HEIGHT - _TOP - _BOTTOM


def svg(samples: Sequence[Sample]) -> str:
    """Return the plot; the figures on the left are each panel's top and zero."""
    end = max(samples[-1].seconds, 1.0)
    return panels_as_svg(series(samples), end, f"{end / 60:.1f} min", mark=WARM_UP)


def panels_as_svg(panels: Panels, end: float, shown_end: str, *, mark: float = 0.0) -> str:
    """Return a plot of a panel for each series of seconds and figures.

    Args:
        panels: the series by their names.
        end: the second at the right edge.
        shown_end: what stands there.
        mark: the share of the time at which there is a line.
    """
    height = _HEIGHT * len(panels)
    body = [
        f'<g transform="translate(0 {number * _HEIGHT})">{_panel(name, points, end, shown_end, mark)}</g>'
        for number, (name, points) in enumerate(panels.items())
    ]
    root = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-size="12">'
    return "\n".join([root, f'<rect width="{_WIDTH}" height="{height}" fill="white"/>', *body, "</svg>\n"])


def _panel(name: str, points: Sequence[tuple[float, float]], end: float, shown_end: str, mark: float) -> str:
    top = max(figure for _, figure in points) * 1.1 or 1.0
    floor = _TOP + _INNER_HEIGHT
    line = " ".join(
        f"{_LEFT + seconds / end * _INNER_WIDTH:.1f},{floor - figure / top * _INNER_HEIGHT:.1f}"
        for seconds, figure in points
    )
    return (
        f'<text x="{_LEFT}" y="16">{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_INNER_WIDTH}" height="{_INNER_HEIGHT}"'
        ' fill="none" stroke="#bbb"/>'
        f"{_line(mark, floor) if mark else ''}"
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{top:,.1f}</text>'
        f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">0</text>'
        f'<text x="{_LEFT + _INNER_WIDTH}" y="{floor + 16}" text-anchor="end">{shown_end}</text>'
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="1.5"/>'
    )


def _line(mark: float, floor: int) -> str:
    at = _LEFT + mark * _INNER_WIDTH
    return f'<line x1="{at}" x2="{at}" y1="{_TOP}" y2="{floor}" stroke="#bbb" stroke-dasharray="4"/>'
