"""Directories that are made for one purpose and removed after it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def traversable_directory(prefix: str = "tls") -> Iterator[Path]:
    """Make a directory that any user can enter, and remove it at the end.

    Its path is short, as the path of a UNIX socket has at most 107 bytes.
    """
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=tempfile.gettempdir()))
    try:
        directory.chmod(0o755)
        yield directory
    finally:
        shutil.rmtree(directory)
