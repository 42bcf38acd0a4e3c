"""Configuration directories for tests."""

import os
from pathlib import Path

#: 2020: postconf reads a file again and again until it is some seconds old.
_LONG_AGO = 1577836800


def write_configuration(directory: Path, main_cf: str, tlsmgr_cf: str | None = None) -> Path:
    """Write the files of a configuration into ``directory``, and return it."""
    (directory / "main.cf").write_bytes(main_cf.encode("utf-8", "surrogateescape"))
    if tlsmgr_cf is not None:
        (directory / "tlsmgr.cf").write_text(tlsmgr_cf)
    for path in directory.iterdir():
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    return directory
