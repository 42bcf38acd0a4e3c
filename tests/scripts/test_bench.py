"""scripts/bench: it measures both servers, leaves nothing behind, and says what it needs."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.system.postfix_presence import require_postfix

BENCH = Path(__file__).parents[2] / "scripts" / "bench"
SECONDS = 90


def bench(
    *arguments: str, script: Path = BENCH, path: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark, and return what it printed."""
    return subprocess.run(  # noqa: S603 - the script of this checkout
        [str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={"PATH": path or os.environ.get("PATH", os.defpath)},
    )


def leftovers() -> set[Path]:
    """Return the private directories of benchmarks that have not removed them."""
    return set(Path("/tmp").glob("tlsb*"))  # noqa: S108 - where the benchmark keeps them


@pytest.mark.system
def test_every_workload_is_measured_on_both_servers(tmp_path: Path) -> None:
    """The smoke run answers every request with status 0, and counts all that the report promises."""
    require_postfix()
    before = leftovers()
    done = bench("--smoke", "--json", str(tmp_path / "figures.json"))
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    measured = {(one["workload"], one["connections"], one["candidate"]) for one in document["cases"]}
    both = {
        (name, count, "ours") for name in ("policy", "tktkey", "seed", "lookup", "mixed") for count in (1, 16)
    }
    both |= {("update", count, "ours") for count in (1, 16, 64)}
    assert measured == both | {("lookup", 16, "ours, rpc"), ("echo", 1, "-"), ("echo", 16, "-")}
    for one in document["cases"]:
        for pair in one["rounds"]:
            sides = [side for side in pair.values() if side is not None]
            assert all(side["rate"] > 0 and 0 < side["median"] <= side["p99"] for side in sides)
    assert set(document["memory_kib"]["ours"]) == {"prng-server", "cache-server", "expiry-sweeper"}
    assert document["memory_kib"]["debian"]["tlsmgr"] > 0
    assert leftovers() <= before


def test_an_unknown_workload_is_refused() -> None:
    """A mistyped name is told, with the names that there are."""
    done = bench("--only", "polcy")
    assert done.returncode == 2
    assert "unknown: polcy" in done.stderr


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    """Without a compiler it measures nothing, and names the package that has one."""
    for name in ("bash", "dirname", "readlink"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    done = bench("--smoke", path=str(tmp_path))
    assert done.returncode == 71
    assert "cc: not installed (Debian's package gcc)" in done.stderr


def test_without_the_venv_it_says_how_to_make_it(tmp_path: Path) -> None:
    """A fresh checkout is told which command comes first."""
    shutil.copytree(BENCH.parent, tmp_path / "scripts")
    done = bench("--smoke", script=tmp_path / "scripts" / "bench")
    assert done.returncode == 71
    assert "run: scripts/venv run" in done.stderr
