"""scripts/bench: it measures both servers, leaves nothing behind, and says what it needs."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

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
def test_all_that_the_report_promises_is_measured(tmp_path: Path) -> None:
    """The smoke run gets every request and handshake answered, and writes figures, tables and picture."""
    require_postfix()
    before = leftovers()
    (tmp_path / "page.md").write_text("Before.\n\n<!-- begin of what scripts/bench wrote -->\nformerly\n")
    with (tmp_path / "page.md").open("a") as page:
        page.write("<!-- end of what scripts/bench wrote -->\nAfter.\n")
    files = {"--json": "figures.json", "--markdown": "page.md", "--svg": "picture.svg"}
    done = bench("--smoke", *(str(word) for pair in files.items() for word in (pair[0], tmp_path / pair[1])))
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
    check_lines(document["cases"])
    check_memory(document["memory_kib"])
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("Before.\n") and text.endswith("After.\n") and "formerly" not in text  # noqa: PT018 - one claim
    assert "handshake, resumed by ticket" in text
    assert ET.parse(tmp_path / "picture.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file
    assert leftovers() <= before


def check_lines(lines: list[dict[str, Any]]) -> None:
    """Check that each case was measured on both sides, where the processes usually run and elsewhere."""
    measured = {(one["workload"], one["connections"], one["placement"]) for one in lines}
    names = ("policy", "tktkey", "seed", "lookup", "update", "mixed", "million")
    usual = {(name, *where) for name in names for where in ((1, "together"), (16, "apart"))}
    assert measured >= usual | {("update", 64, "apart"), ("lookup, rpc", 16, "apart"), ("echo", 16, "apart")}
    assert measured >= {
        (name, 1, where) for name in ("policy", "lookup", "update", "echo") for where in ("apart", "free")
    }
    assert measured >= {("update, at a limit", 16, "apart"), ("update, at a limit", 64, "apart")}
    assert measured >= {("lookup, shared", 1, "together"), ("lookup, shared", 16, "apart")}
    assert sum(one["workload"].startswith("handshake, ") for one in lines) == 4
    for pair in (pair for one in lines for pair in one["rounds"]):
        sides = [side for side in pair.values() if side is not None]
        assert all(side["rate"] > 0 and 0 < side["median"] <= side["p99"] for side in sides)


def check_memory(moments: dict[str, dict[str, dict[str, int]]]) -> None:
    """Check that both servers' processes were weighed, with few sessions and with many."""
    assert len(moments) == 4
    for servers in moments.values():
        assert set(servers["ours"]) == {"prng-server", "cache-server", "expiry-sweeper"}
        assert servers["debian"]["tlsmgr"] > 0


@pytest.mark.system
def test_a_placement_is_kept_to() -> None:
    """With --placement every line is measured there, and the table says so."""
    require_postfix()
    done = bench("--smoke", "--only", "echo,policy", "--placement", "apart")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if " ours " in line or " echo " in line]
    assert [(row[0], row[1], row[2]) for row in rows if row[0] in {"policy", "echo"}] == [
        ("policy", "1", "apart"),
        ("policy", "16", "apart"),
        ("echo", "1", "apart"),
        ("echo", "16", "apart"),
    ]


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
