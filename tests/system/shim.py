"""Faults that no file system and no clock has on demand: a preloaded C library brings them about."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("shim.c")
_LAYOUT = struct.Struct("=qq")  # struct faults of the source
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
        self._file.write_bytes(_LAYOUT.pack(0, 0))
        subprocess.run(  # noqa: S603 - our own source
            [compiler, "-Wall", "-O2", "-std=gnu11", "-shared", "-fPIC", "-o", library, _SOURCE],
            check=True,
            timeout=_COMPILE_SECONDS,
        )
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_FILE": str(self._file)}

    def use(self, *, clock_seconds: int = 0, fails_io: bool = False) -> None:
        """Have the clock be off by so many seconds, and each access to a store fail, from now on."""
        with self._file.open("r+b") as file:  # in place: it is mapped
            file.write(_LAYOUT.pack(clock_seconds, fails_io))
