"""Where the host's commands are."""

import os
import shutil
from pathlib import Path

#: Where root's commands are, also when the PATH at hand has not got them.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def program(name: str) -> Path | None:
    """Return the path of the command ``name``, also where only root's PATH has it."""
    found = shutil.which(name, path=_PATH)
    return Path(found) if found else None
