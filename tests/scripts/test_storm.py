"""scripts/storm: it works, in its shortest form."""

import subprocess

from rehearsal.checkout import CHECKOUT


def test_a_small_storm_is_reported() -> None:
    """It says how long clients waited, and finds nothing left over."""
    done = subprocess.run(  # noqa: S603 - our own script
        [CHECKOUT / "scripts/storm", "--clients", "20", "--rounds", "1", "--silent", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("errors 0") == 3
    assert "descriptors left over: 0" in done.stdout
