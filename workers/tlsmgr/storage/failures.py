"""What went wrong with a store, as an error that says what to do about it."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tlsmgr.errors import StoreBusyError, StoreDamagedError, StoreError
from tlsmgr.storage.rawdisk import RefusedRowError
from tlsmgr.storage.settings import DATABASE_NAME

_PRIMARY_CODE = 0xFF  # SQLite's extended codes carry the primary one in their last byte
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# What only a file that is not as we left it brings about: our statements have no mistakes, so
# that SQLITE_ERROR is a table or a file format that is not ours.
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "cache.db is no database",
    sqlite3.SQLITE_ERROR: "the database is not as this program made it",
    sqlite3.SQLITE_TOOBIG: "the database is damaged",
    sqlite3.SQLITE_CONSTRAINT: "the database is damaged",
    sqlite3.SQLITE_MISMATCH: "the database is damaged",
}
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk or quota is full; free some space",
    sqlite3.SQLITE_READONLY: "the database is read-only; check owner and mode, and the mount",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened; check owner and mode",
    sqlite3.SQLITE_IOERR: "input/output error; check the disk, its free space and the kernel's log",
}
_NO_CODE = -1

#: What SQLite and the operating system raise. A damaged database has names that are no UTF-8, which
#: Python's sqlite3 cannot even put into an error of its own.
FAULTS = (sqlite3.Error, OSError, UnicodeDecodeError)


class DamageError(sqlite3.DatabaseError):
    """What SQLite takes for good, but this program did not write."""


def store_error(
    directory: str, doing: str, cause: sqlite3.Error | OSError | UnicodeDecodeError
) -> StoreError:
    """Return the error to raise for ``cause``; it quotes neither a cache id nor a session.

    Args:
        directory: the store's directory.
        doing: what was tried, as in "cannot ...".
        cause: what SQLite or the operating system said.
    """
    if isinstance(cause, DamageError | RefusedRowError):
        return StoreDamagedError(f"session store {directory}: cannot {doing}: {cause}")
    if isinstance(cause, UnicodeDecodeError):
        return StoreDamagedError(f"session store {directory}: cannot {doing}: the database is damaged")
    if isinstance(cause, OSError):
        return StoreError(f"session store {directory}: cannot {doing}: {cause.strerror or cause}")
    # Python's own complaints (a closed connection, the wrong thread) have no code.
    code = getattr(cause, "sqlite_errorcode", _NO_CODE)
    primary = code & _PRIMARY_CODE if code != _NO_CODE else _NO_CODE
    if primary in _BUSY:
        return StoreBusyError(f"session store {directory}: cannot {doing} now: locked by another; try again")
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    if code == sqlite3.SQLITE_READONLY and os.access(Path(directory, DATABASE_NAME), os.W_OK):
        primary = sqlite3.SQLITE_NOTADB  # its header says that only a later SQLite may write
    if primary in _DAMAGED:
        return StoreDamagedError(f"session store {directory}: cannot {doing}: {_DAMAGED[primary]} ({name})")
    advice = _ADVICE.get(primary, str(cause))
    return StoreError(f"session store {directory}: cannot {doing}: {advice} ({name})")


@contextmanager
def store_errors(directory: str, doing: str) -> Iterator[None]:
    """Turn the errors of SQLite and of the operating system into those of ``store_error``."""
    try:
        yield
    except FAULTS as cause:
        raise store_error(directory, doing, cause) from cause


def whole_number(rows: Sequence[Sequence[object]]) -> int:
    """Return the one number of a query's result.

    Raises:
        DamageError: it is none, as where somebody changed one of diskcache's counters.
    """
    if len(rows) != 1 or not isinstance(rows[0][0], int):
        raise DamageError("its counters are damaged")
    return rows[0][0]
