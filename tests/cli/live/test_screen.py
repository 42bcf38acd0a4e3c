"""The live screen: what it says, and that it fits."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.cli.live.picture import picture
from tests.cli.live.samples import NOW, busy, look
from tlsmgr.cli.live.figures import Comparison, Look
from tlsmgr.cli.live.screen import draw
from tlsmgr.cli.workers import WORKERS

_PICTURE = Path(__file__).parents[3] / "docs" / "top.svg"


def _lines(before: Look, after: Look, *, encoding: str = "utf-8") -> list[str]:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    console = Console(file=output, width=80, height=24, color_system=None, legacy_windows=False)
    console.print(draw(Comparison(before, after), workers=WORKERS, now=NOW, title="tlsmgr"))
    output.seek(0)
    return [line.rstrip() for line in output.read().splitlines()]


def _line(lines: list[str], start: str) -> list[str]:
    return next(line.split() for line in lines if line.startswith(start))


def test_a_busy_screen_fits_and_says_it_all() -> None:
    """80 columns, 24 lines, nothing cut off; rates are those of the last second."""
    lines = _lines(*busy())

    assert len(lines) <= 23  # and one where the cursor is
    assert not [line for line in lines if "…" in line]
    assert _line(lines, "cache-server") == ["cache-server", "answers", "1d02h", "2800", "124", "1.0.0"]
    assert _line(lines, "lookup") == ["lookup", "400", "50", "us", "100", "us", "0"]
    smtpd = _line(lines, "smtpd")
    assert smtpd[:6] == ["smtpd", "2000", "400", "80%", "80%", "520k"]
    assert smtpd[-4:] == ["52%", "322M", "30%", "0"]
    assert _line(lines, "lmtp")[:5] == ["lmtp", "0", "0", "-", "-"]
    assert _line(lines, "ed74e44cf02f1157..")[1:] == ["current", "20m00s", "50m00s"]
    assert _line(lines, "9aa79bd7a72661db..")[1:] == ["previous", "over", "20m00s"]
    assert "dev:/dev/urandom is good; reseeds 27, alarms 0" in " ".join(lines)


@pytest.mark.parametrize("scale", [10**6, 10**9, 10**12])
def test_large_figures_fit_too(scale: int) -> None:
    """No column grows out of the screen."""
    lines = _lines(look(at=0.0, requests=0), look(at=1.0, requests=scale))

    assert max(map(len, lines)) <= 80
    assert len(lines) <= 23
    assert not [line for line in lines if "…" in line]


def test_workers_that_do_not_answer() -> None:
    """Each is named with the reason; what they would have said is left open."""
    silent = dict.fromkeys(WORKERS, "Connection refused")
    nothing = Look(at=0.0, stats={}, silent=silent)

    lines = _lines(nothing, nothing)

    assert sum("Connection refused" in line for line in lines) == 3
    assert _line(lines, "none")[1:] == ["-"] * 10
    assert "source is unknown" in " ".join(lines)


def test_a_failing_source_is_told() -> None:
    """With its alarms."""
    lines = _lines(busy()[0], look(at=11.0, requests=1400, prng="alarm"))

    assert "is alarm; reseeds 27, alarms 3" in " ".join(lines)


def test_a_terminal_without_unicode() -> None:
    """Bars are drawn with what it has."""
    assert _lines(*busy(), encoding="ascii")


def test_a_restarted_worker_counts_from_nothing() -> None:
    """Its rates are those since its start, and never below 0."""
    before = look(at=0.0, requests=5000)
    after = look(at=2.0, requests=100)
    restarted = Look(
        at=2.0, stats={**after.stats, "cache-server": {**after.stats["cache-server"], "pid": 4711}}
    )

    assert Comparison(before, restarted).methods()[0].rate == 50


def test_the_first_answer_of_a_worker_has_no_rates() -> None:
    """What it counted was counted over a time that is not known."""
    comparison = Comparison(Look(at=0.0, stats={}), look(at=1.0, requests=5000))

    assert [method.rate for method in comparison.methods()] == [0.0] * 6
    assert comparison.requests("cache-server") == 0.0


@pytest.mark.parametrize(
    "odd", [{"caches": 5}, {"requests": {"rpc": 5}}, {"seeds": None}, {"connections": {}}]
)
def test_figures_of_another_version_are_left_out(odd: dict[str, object]) -> None:
    """What has another form than ours is no reason to fail."""
    first, second = busy()
    strange = Look(
        at=second.at, stats={**second.stats, "cache-server": {**second.stats["cache-server"], **odd}}
    )

    assert _lines(first, strange)


def test_the_picture_is_what_the_screen_looks_like() -> None:
    """docs/top.svg is made with tests/cli/live/picture.py."""
    assert _PICTURE.read_text(encoding="utf-8") == picture()
