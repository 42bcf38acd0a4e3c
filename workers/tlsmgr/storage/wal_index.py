"""Whether anybody committed anything, for the price of reading a few bytes of memory.

SQLite's write-ahead log has an index in shared memory, the file ``cache.db-shm``, whose first
48 bytes every commit by any process changes (https://sqlite.org/walformat.html, section 2.1).
``PRAGMA data_version`` tells the same, for 50 times the price.
"""

import mmap
import os
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from tlsmgr.storage.settings import DATABASE_NAME

_NAME = DATABASE_NAME + "-shm"
_HEADER_SIZE = 48
_MAPPED_SIZE = 136
# The number of commits, in this machine's byte order, after the version and an unused word.
_COMMIT_COUNT = struct.Struct("=8xI")
# Pages in the log, and after two copies of the header, how many of them are in the database.
_PAGES, _MOVED = struct.Struct("=16xI"), struct.Struct("=96xI")


@dataclass(slots=True, kw_only=True)
class _OpenedIndex:
    """An index that this process has open, how many use it, and the thread that moved its log last."""

    file: int
    map: mmap.mmap
    identity: tuple[int, int]
    users: int = 0
    mover: threading.Thread | None = None


_OPENED: dict[tuple[int, int], _OpenedIndex] = {}


class WalIndex:
    """The header of one database's WAL index.

    It must be opened after the SQLite connection of this process and closed after it: closing
    any descriptor of the file drops the locks that SQLite has on it (fcntl(2)). So all of a
    process that look at one index share one descriptor, which the last of them closes.

    Args:
        place: The descriptor of the directory that the database is in.

    Raises:
        OSError: The index cannot be opened; a database in WAL mode that was read from has one.
    """

    def __init__(self, place: int) -> None:
        self._opened = _opened(place)
        self._opened.users += 1
        self._map = self._opened.map
        #: Returns what differs after each commit; as good as SQLite's own when a commit is under way.
        self.header = cast("Callable[[], bytes]", partial(self._map.__getitem__, slice(_HEADER_SIZE)))

    def backlog(self) -> int:
        """Return how many pages of the log have not been moved into the database."""
        moved = self.moved()  # first: of a log that is begun anew meanwhile, none is left to move
        (pages,) = _PAGES.unpack_from(self._map)
        return max(0, int(pages - moved))

    def moved(self) -> int:
        """Return how many pages of the log are in the database already."""
        (moved,) = _MOVED.unpack_from(self._map)
        return int(moved)

    @property
    def mover(self) -> threading.Thread | None:
        """The thread that moved the log last, of all that this process has had for it."""
        return self._opened.mover

    @mover.setter
    def mover(self, thread: threading.Thread) -> None:
        self._opened.mover = thread

    @property
    def is_being_moved(self) -> bool:
        """Whether a thread of this process is moving the log."""
        return self.mover is not None and self.mover.is_alive()

    def close(self) -> None:
        """Let go of the index; once."""
        self._opened.users -= 1
        if not self._opened.users:
            del _OPENED[self._opened.identity]
            self._map.close()
            os.close(self._opened.file)


def _opened(place: int) -> _OpenedIndex:
    # Not opened to see which one it is: that descriptor would have to be closed again.
    found = os.stat(_NAME, dir_fd=place, follow_symlinks=False)
    known = _OPENED.get((found.st_dev, found.st_ino))
    if known is not None:
        return known
    file = os.open(_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    try:
        opened = os.fstat(file)
        mapped = mmap.mmap(file, _MAPPED_SIZE, mmap.MAP_SHARED, mmap.PROT_READ)
    except (OSError, ValueError):
        os.close(file)
        raise
    identity = opened.st_dev, opened.st_ino
    _OPENED[identity] = _OpenedIndex(file=file, map=mapped, identity=identity)
    return _OPENED[identity]


def commits_between(former: bytes, latter: bytes) -> int:
    """Return how many transactions were committed from one header to a later one."""
    (before,), (after,) = _COMMIT_COUNT.unpack_from(former), _COMMIT_COUNT.unpack_from(latter)
    return int(after - before) % 2**32
