"""What is for eyes only: colours, aligned tables, progress, times in short. Nothing of it reaches a pipe."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_PROGRESS_SECONDS = 0.2
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_ERASE_LINE = "\r\x1b[K"


def printable(text: str) -> str:
    """Return a text that somebody else wrote, with an escape in the place of all that a terminal acts on."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


class Painter:
    """Colours text for a stream: on a terminal, and unless NO_COLOR (no-color.org) is set.

    Args:
        stream: Where the text will go.
        environment: Has NO_COLOR and TERM.
    """

    def __init__(self, stream: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._colours = (
            stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        )

    def paint(self, text: str, style: str) -> str:
        """Return ``text`` in a style: bold, dim, red, green or yellow."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._colours else text


class Progress:
    """Shows how far long work is, on one line of a terminal; elsewhere nothing.

    Args:
        stream: The terminal, if it is one.
        doing: What is under way, as in "flushing smtpd".
        clock: Seconds, of any origin.
    """

    def __init__(self, stream: TextIO, doing: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._doing = doing
        self._clock = clock
        self._is_shown = stream.isatty()
        self._next = clock() + _PROGRESS_SECONDS

    def show(self, done: str) -> None:
        """Show how far it is, several times a second at most."""
        if self._is_shown and self._clock() >= self._next:
            self._next = self._clock() + _PROGRESS_SECONDS
            self._write(f"{_ERASE_LINE}{self._doing}: {done}")

    def end(self) -> None:
        """Leave the line empty."""
        if self._is_shown:
            self._write(_ERASE_LINE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return rows of cells as lines in columns; those whose places are in ``right`` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def short_time(seconds: float) -> str:
    """Return a span of time as people say it: 45s, 12m30s, 3h05m, 12d4h; a fraction is dropped."""
    left = max(0, int(seconds))
    for place, (unit, size) in enumerate(_UNITS[:-1]):
        if left >= size:
            smaller, smaller_size = _UNITS[place + 1]
            return f"{left // size}{unit}{left % size // smaller_size:02}{smaller}"
    return f"{left}s"


def clock_time(seconds: float) -> str:
    """Return a time of day (seconds since 1970) in this host's zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
