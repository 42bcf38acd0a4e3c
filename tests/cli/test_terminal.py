"""What is for eyes only."""

import io

import pytest

from tlsmgr.cli.terminal import Painter, Progress, aligned, short_time


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "painted"),
    [
        (_Terminal(), {}, True),
        (_Terminal(), {"NO_COLOR": ""}, True),
        (_Terminal(), {"NO_COLOR": "1"}, False),
        (_Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, environment: dict[str, str], *, painted: bool
) -> None:
    """An empty NO_COLOR is none, as no-color.org has it."""
    expected = "\x1b[31mx\x1b[0m" if painted else "x"
    assert Painter(stream, environment).paint("x", "red") == expected


def test_progress_is_one_line_that_goes_away() -> None:
    """It is shown some times a second, and only by work that takes a while."""
    times = iter([0.0, 0.1, 0.3, 0.3, 0.35])
    terminal = _Terminal()
    progress = Progress(terminal, "flushing smtp", lambda: next(times))
    for count in ("1", "2", "3"):
        progress.show(count)
    progress.end()

    assert terminal.getvalue() == "\r\x1b[Kflushing smtp: 2\r\x1b[K"


def test_a_pipe_sees_no_progress() -> None:
    """It is quiet there."""
    pipe = io.StringIO()
    progress = Progress(pipe, "flushing smtp", lambda: 1e9)
    progress.show("1")
    progress.end()

    assert pipe.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (59, "59s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3661, "1h01m"),
        (90000, "1d01h"),
        (8640000, "100d00h"),
    ],
)
def test_short_times(seconds: float, text: str) -> None:
    """Two units are enough."""
    assert short_time(seconds) == text


def test_columns() -> None:
    """They are as wide as their widest cell; nothing hangs over at the end."""
    rows = [("NAME", "SIZE", "ID"), ("a", "10", "x"), ("longer", "9", "")]

    assert aligned(rows, right=[1]) == ["NAME    SIZE  ID", "a         10  x", "longer     9"]
