"""Faults that no file system and no clock has on demand: a preloaded C library brings them about."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("shim.c")
_LAYOUT = struct.Struct("=qqqq")  # struct faults of the source
_COMPILE_SECONDS = 60


class Shim:
    """The library, and what it is to do in the processes that were started with it.

    Args:
        directory: Where it is made.
    """

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("cc: not installed (Debian's package gcc)")
        library, self._file = directory / "faults.so", directory / "faults"
        self._file.write_bytes(_LAYOUT.pack(0, 0, 0, 0))
        self._file.chmod(0o666)  # whoever is started with it counts there
        subprocess.run(  # noqa: S603 - our own source
            [compiler, "-Wall", "-O2", "-std=gnu11", "-shared", "-fPIC", "-o", library, _SOURCE],
            check=True,
            timeout=_COMPILE_SECONDS,
        )
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_FILE": str(self._file)}

    def use(self, *, clock_seconds: int = 0, fails_io: bool = False, sync_milliseconds: int = 0) -> None:
        """From now on, have the clock be off, each access to a store fail, or a sync take so long.

        Args:
            clock_seconds: By how much the clock is off.
            fails_io: Whether each access to a store fails.
            sync_milliseconds: What it takes to sync the file with the ticket keys.
        """
        with self._file.open("r+b") as file:  # in place: it is mapped
            file.write(_LAYOUT.pack(clock_seconds, fails_io, sync_milliseconds, 0))

    def syncs(self) -> int:
        """Return how often the file with the ticket keys was synced since ``use``."""
        count: int = _LAYOUT.unpack(self._file.read_bytes())[3]
        return count
