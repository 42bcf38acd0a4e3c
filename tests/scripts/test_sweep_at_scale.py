"""scripts/sweep-at-scale: it sweeps what it filled, keeps the log short, and says what it measured."""

import json
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "sweep-at-scale"
SECONDS = 90


@pytest.mark.system
def test_a_sweep_under_load_keeps_the_log_short(tmp_path: Path) -> None:
    """Nobody meets an error, the log does not grow with what is removed, and all is measured."""
    report = tmp_path / "figures.json"
    done = subprocess.run(  # noqa: S603 - the script of this checkout
        [SCRIPT, "--entries", "8000", "--seconds", "0.5", "--json", report],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert figures["swept"] == 4000
    assert figures["errors"] == 0
    assert figures["log MiB"] < 8
    assert figures["sweep s"] > 0
    assert {
        "ready s, empty",
        "lookup p99 ms",
        "update p99 ms",
        "sweeper MiB",
        "file after MiB",
    } <= figures.keys()
    assert "sweep s: " in done.stdout


def test_it_says_what_it_needs() -> None:
    """--help tells the options, without measuring anything."""
    done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, timeout=SECONDS, check=True)  # noqa: S603 - likewise
    assert "--entries" in done.stdout
