"""scripts/storm: it works, in its shortest form."""

import subprocess

from rehearsal.checkout import CHECKOUT
from tests.system.postfix_presence import require_postfix


def _storm(*options: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own script
        [CHECKOUT / "scripts/storm", "--clients", "20", "--rounds", "1", "--silent", "0", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_small_storm_is_reported() -> None:
    """It says how long clients waited, and finds nothing left over."""
    report = _storm()
    assert report.count("errors 0") == 3
    assert "descriptors left over: 0" in report


def test_postfixs_own_tlsmgr_is_stormed_beside_ours() -> None:
    """With --postfix, at once and over a second, as ours is."""
    require_postfix()
    _, theirs = _storm("--postfix").split("Postfix's own tlsmgr:\n")
    assert [line.split(":")[0].strip() for line in theirs.splitlines()] == ["over 0 ms", "over 1000 ms"]
