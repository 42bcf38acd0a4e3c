"""What the benchmark needs of the host, and where it is."""

import os
from pathlib import Path

from rehearsal.checkout import COMMANDS
from rehearsal.programs import program


def missing() -> list[str]:
    """Say what is missing, one line each; empty when the benchmark can run."""
    lines = [
        f"{name}: not installed ({package})"
        for name, package in (("cc", "Debian's package gcc"), ("postfix", "Debian's package postfix"))
        if program(name) is None
    ]
    lines += [
        f"{COMMANDS / name}: not there (run: scripts/venv run)"
        for name in ("tlsmgr", "supervisord")
        if not (COMMANDS / name).exists()
    ]
    if os.geteuid() != 0:
        lines.append("root's rights: Postfix's master runs as root only")
    return lines


def compiler() -> Path:
    """Return the C compiler.

    Raises:
        FileNotFoundError: There is none.
    """
    found = program("cc")
    if found is None:
        raise FileNotFoundError("cc")
    return found
