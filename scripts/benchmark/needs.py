"""What the benchmark needs of the host, and where it is."""

import os
import shutil
import sys
from pathlib import Path

#: Where root's commands are, also when the PATH at hand has not got them.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

#: The command of ours, in the .venv whose Python runs this.
TLSMGR = Path(sys.executable).parent / "tlsmgr"


def missing() -> list[str]:
    """Say what is missing, one line each; empty when the benchmark can run."""
    lines = [
        f"{name}: not installed ({package})"
        for name, package in (("cc", "Debian's package gcc"), ("postfix", "Debian's package postfix"))
        if shutil.which(name, path=_PATH) is None
    ]
    if not TLSMGR.exists():
        lines.append(f"{TLSMGR}: not there (run: scripts/venv run)")
    if os.geteuid() != 0:
        lines.append("root's rights: Postfix's master runs as root only")
    return lines


def program(name: str) -> str:
    """Return the path of a command.

    Raises:
        FileNotFoundError: There is no such command.
    """
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise FileNotFoundError(name)
    return found
