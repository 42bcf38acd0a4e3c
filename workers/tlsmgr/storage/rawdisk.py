"""A diskcache Disk that holds bytes in rows, and neither pickles nor files.

diskcache 5.6.3 runs whatever pickle a row holds (CVE-2025-69872), and reads or
deletes whatever file a row names. Nothing of that can happen through this class,
whatever a row says.
"""

import sqlite3
from typing import NoReturn

from diskcache import UNKNOWN, Disk
from diskcache.core import MODE_RAW


class RefusedRowError(OSError):
    """A row, or part of one, that this package never writes.

    An OSError, since that is what diskcache takes for a value that has gone: a miss.
    """


class RawDisk(Disk):  # type: ignore[misc]  # diskcache ships no types
    """Keys and values are bytes, inline in the row; everything else is refused."""

    def put(self, key: object) -> tuple[memoryview, bool]:
        """Return the columns ``key`` and ``raw`` for a key.

        Raises:
            TypeError: the key is not bytes.
        """
        return sqlite3.Binary(_bytes_only(key, "key")), True

    def get(self, key: object, raw: object) -> bytes:
        """Return the key that the columns ``key`` and ``raw`` hold.

        Raises:
            RefusedRowError: the key is a pickle, or not bytes.
        """
        if raw not in (True, 1) or not isinstance(key, bytes):
            raise RefusedRowError("it holds a key that this program did not write; refused")
        return key

    def store(self, value: object, read: object, key: object = UNKNOWN) -> tuple[int, int, None, memoryview]:
        """Return the columns ``size``, ``mode``, ``filename`` and ``value`` for a value.

        Raises:
            TypeError: the value is not bytes, or is to be read from a file.
        """
        del key  # diskcache would name a file after it
        if read:
            raise TypeError("a session is stored from bytes, never from an open file")
        # Size 0, as diskcache counts every value that lies within the row.
        return 0, MODE_RAW, None, sqlite3.Binary(_bytes_only(value, "value"))

    def fetch(self, mode: object, filename: object, value: object, read: object) -> bytes:
        """Return the value that a row holds.

        Raises:
            RefusedRowError: the row holds anything but inline bytes. diskcache's own
                methods take this for a miss.
        """
        if mode != MODE_RAW or filename is not None or read or not isinstance(value, bytes):
            raise RefusedRowError("it holds a value that this program did not write; refused")
        return value

    def filename(self, key: object = UNKNOWN, value: object = UNKNOWN) -> NoReturn:
        """Refuse to name a file.

        Raises:
            RefusedRowError: always.
        """
        del key, value
        raise RefusedRowError("a session is never stored in a file of its own")

    def remove(self, file_path: object) -> None:
        """Do nothing: a file that a row names was not made by this package."""


def _bytes_only(data: object, what: str) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"a {what} must be bytes, not {type(data).__name__}")
    return data
