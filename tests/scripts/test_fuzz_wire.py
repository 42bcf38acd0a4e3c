"""scripts/fuzz-wire: what it holds true, for its seeds and for all that it ever found."""

import os
import shutil
import subprocess

import pytest

from fuzzing.properties import TARGETS
from fuzzing.seeds import seeds
from rehearsal.checkout import CHECKOUT


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_findings_hold(target: str) -> None:
    """Every seed, every input that once showed a defect, and all their beginnings."""
    inputs = seeds(target)
    assert inputs
    for data in inputs:
        TARGETS[target](data)
        TARGETS[target](data[: len(data) // 2])


@pytest.mark.parametrize("target", ["attributes", "calls"])
def test_what_was_sent_together_holds(target: str) -> None:
    """Requests that follow each other on one stream."""
    TARGETS[target](b"".join(seeds(target)))


def test_without_the_fuzzer_it_says_how_to_get_it() -> None:
    """It installs nothing, and names the commands."""
    done = subprocess.run(  # noqa: S603 - a script of this checkout
        [CHECKOUT / "scripts" / "fuzz-wire"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "TLSMGR_FUZZ_PYTHON": str(shutil.which("false"))},
    )
    assert done.returncode == 71
    assert "scripts/requirements/fuzz.txt" in done.stderr
