"""What the benchmark needs of the host, and where it is."""

import os
from importlib.util import find_spec
from pathlib import Path

from rehearsal.checkout import COMMANDS
from rehearsal.programs import program


def missing(*, shared: bool) -> list[str]:
    """Say what is missing, one line each; empty when the benchmark can run.

    Args:
        shared: whether a store that hosts share is needed, too.
    """
    packages = {"cc": "gcc", "postfix": "postfix"} | ({"redis-server": "redis-server"} if shared else {})
    lines = [
        f"{name}: not installed (Debian's package {package})"
        for name, package in packages.items()
        if program(name) is None
    ]
    if shared and find_spec("redis") is None:
        lines.append("the client for Redis: not installed (run: scripts/venv redis)")
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
