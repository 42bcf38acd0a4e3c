"""The scripts that cron calls, called as cron does."""

import subprocess
from pathlib import Path

from rehearsal.checkout import CHECKOUT
from rehearsal.sandbox import Sandbox

NAMES = (
    "sweep-now",
    "verify-store",
    "compact-store",
    "rotate-ticket-keys",
    "export-metrics",
    "daily-report",
)


def call(sandbox: Sandbox, name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Call a script on a sandbox's configuration; return its end."""
    return subprocess.run(  # noqa: S603 - our own scripts
        [CHECKOUT / "scripts" / name, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=sandbox.environment,
        cwd="/",
        timeout=60,
        check=False,
    )


def call_quietly(sandbox: Sandbox, name: str, *arguments: str | Path) -> None:
    """Call a script for which all is well: it says nothing and ends with 0."""
    done = call(sandbox, name, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
