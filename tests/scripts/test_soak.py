"""scripts/soak, in short: it samples, judges and draws."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from soaking.sampling import Sample
from soaking.verdict import judge
from tests.scripts.rehearsals import rehearse


@pytest.mark.system
def test_a_short_soak_is_sampled_and_drawn(tmp_path: Path) -> None:
    """Memory and descriptors of all three workers, databases and write-ahead logs, over the time."""
    samples, plot = tmp_path / "samples.json", tmp_path / "plot.svg"
    options = ("--minutes", "0.04", "--every", "0.5", "--keys", "40", "--clients", "4")
    done = rehearse("soak", *options, "--json", str(samples), "--svg", str(plot))
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(samples.read_text())
    assert len(document["samples"]) > 2
    for figures in document["samples"]:
        assert len(figures) == 9
        assert all(figures[f"{name} memory, MiB"] > 1 for name in ("cache-server", "prng-server"))
        assert figures["expiry-sweeper descriptors"] > 2
    assert document["samples"][-1]["databases, MiB"] > 0
    drawn = ET.parse(plot).getroot()  # noqa: S314 - written by our own script
    assert len(drawn.findall(".//{*}polyline")) == 8


def _run(per_second: float, seconds: int = 600) -> list[Sample]:
    return [
        Sample(seconds=float(second), figures={"w memory, MiB": 30 + per_second * second})
        for second in range(0, seconds + 1, 5)
    ]


def test_growth_after_the_warm_up_is_a_fault() -> None:
    """A megabyte a minute is a leak; what varies around one figure is not."""
    assert not judge(_run(1 / 60))[0].is_flat
    assert judge(_run(0))[0].is_flat


def test_growth_in_the_first_quarter_is_none() -> None:
    """Caches and pools are filled first."""
    samples = [
        Sample(seconds=float(second), figures={"w memory, MiB": float(min(second, 140))})
        for second in range(0, 601, 5)
    ]
    assert judge(samples)[0].is_flat


def test_a_short_run_is_not_judged() -> None:
    """In less than five minutes everything is warm-up."""
    assert judge(_run(1, seconds=60))[0].is_flat
