"""File systems of a test's own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[None]:
    """Mount something at ``place``, with these arguments of mount(8), while the block runs.

    What cannot be mounted skips the test.
    """
    place.mkdir(mode=0o700, exist_ok=True)
    if not _succeeds("mount", *arguments, str(place)):
        pytest.skip("only root of a machine of its own can mount a file system")
    try:
        yield
    finally:
        # Lazily: whoever still has a file open there keeps it, and it ends with them.
        assert _succeeds("umount", "--lazy", str(place))


def fill(place: Path) -> Path:
    """Leave no space on the disk; return the file that takes it."""
    filler = place / "filler"
    with pytest.raises(OSError, match="No space left"):
        _write_for_ever(filler)
    return filler


def _write_for_ever(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 - ours
