"""Running a script of this checkout that rehearses something, and leaves nothing behind."""

import os
import subprocess

from rehearsal.checkout import CHECKOUT

_SECONDS = 100


def rehearse(script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``scripts/SCRIPT``, and return its end."""
    return subprocess.run(  # noqa: S603 - a script of this checkout
        [CHECKOUT / "scripts" / script, *arguments],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
