"""scripts/storm: it works, in its shortest form."""

import subprocess

from rehearsal.checkout import CHECKOUT
from tests.system.postfix_presence import require_postfix


def test_a_small_storm_is_reported() -> None:
    """It says how long clients waited, of Postfix's own too, and finds nothing left over."""
    require_postfix()
    done = subprocess.run(  # noqa: S603 - our own script
        [CHECKOUT / "scripts/storm", "--clients", "20", "--rounds", "1", "--silent", "0", "--postfix"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("errors 0") == 5
    assert "descriptors left over: 0" in done.stdout
