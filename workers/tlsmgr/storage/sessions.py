"""One session cache: entries with a time of expiry, in a diskcache directory.

Several processes share a directory. Every call is short and synchronous: a lookup reads a
snapshot and waits for no writer, and a change that finds the store locked says so at once.
Times are seconds since the epoch, and always arguments.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from tlsmgr.errors import StoreError
from tlsmgr.storage.database import open_database
from tlsmgr.storage.directory import DATABASE_NAME
from tlsmgr.storage.failures import store_error, store_errors
from tlsmgr.storage.rawdisk import RefusedRowError

#: Rows that one step of a sweep removes: more would make another process's writer wait
#: for longer than a request may (p99 20 ms at diskcache's own 100, 3.6 ms at 25).
SWEEP_STEP = 25

# raw = 1 is a key of plain bytes, mode = 1 a value of plain bytes (diskcache's MODE_RAW), and
# size counts the bytes outside the row. All columns are set, whatever a row had before.
_UPSERT = """
    INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag,
                       size, mode, filename, value)
    VALUES (?1, 1, ?2, ?3, ?2, 0, NULL, 0, 1, NULL, ?4)
    ON CONFLICT (key, raw) DO UPDATE SET
        store_time = ?2, expire_time = ?3, access_time = ?2, access_count = 0, tag = NULL,
        size = 0, mode = 1, filename = NULL, value = ?4
"""
_SELECT = "SELECT mode, filename, value, store_time, expire_time FROM Cache WHERE key = ? AND raw = 1"
_DELETE = "DELETE FROM Cache WHERE key = ? AND raw = 1"
_DELETE_EXPIRED = """
    DELETE FROM Cache WHERE rowid IN (
        SELECT rowid FROM Cache INDEXED BY Cache_expire_time
        WHERE expire_time <= ? ORDER BY expire_time LIMIT ?)
    RETURNING key
"""
_COUNT_EXPIRED = "SELECT count(*) FROM Cache INDEXED BY Cache_expire_time WHERE expire_time <= ?"
_CLOSED = -1
_COUNT = "SELECT value FROM Settings WHERE key = 'count'"  # kept by diskcache's triggers
_SIZE = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Save ``session`` under ``cache_id``, in place of a former one; both may be empty."""

    cache_id: bytes
    session: bytes = field(repr=False)
    stored_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove the entry saved under ``cache_id``, expired or not."""

    cache_id: bytes


Change: TypeAlias = Put | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """An entry as it was saved; whether it has expired depends on who asks when."""

    session: bytes = field(repr=False)
    stored_at: float
    expires_at: float

    def is_fresh(self, *, now: float, timeout: int) -> bool:
        """Tell whether the entry may be given out: its own time and ``timeout`` are both not over."""
        return self.expires_at > now and self.stored_at + timeout > now


class SessionStore:
    """One cache. It belongs to the thread that opened it, and is not for use after a fork.

    All methods raise StoreError when the store cannot be used (damaged, full, closed), and
    StoreBusyError when another connection's lock is in the way: nothing was changed then, and
    the same call may succeed a moment later.
    """

    def __init__(self, directory: Path, *, checkpoints: bool, lock_wait: float = 0.0) -> None:
        """Open the store, and make it when it is not there.

        Args:
            directory: an absolute path, whose parent exists; becomes mode 0700.
            checkpoints: whether this one moves the write-ahead log into the database: True for
                the process that saves, which so keeps its log short, and False for all others.
            lock_wait: seconds that a change waits for another connection's lock.

        Raises:
            StoreError: the directory or the database is not ours alone, damaged, or not to be made.
            StoreBusyError: another process kept it locked for two seconds.
        """
        self._database = open_database(directory, checkpoints=checkpoints, lock_wait=lock_wait)
        self._directory = str(directory)
        self._connection = self._database.connection
        with store_errors(self._directory, "open the directory"):
            # By descriptor, since in a chroot jail the path leads nowhere.
            self._place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._identity = self._found()
        self._disk = self._database.disk

    def close(self) -> None:
        """Close the store; a second time does nothing."""
        with store_errors(self._directory, "close the database"):
            self._database.close()
            if self._place != _CLOSED:
                os.close(self._place)
                self._place = _CLOSED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def lookup(self, cache_id: bytes, now: float, timeout: int) -> bytes | None:
        """Return the session saved under ``cache_id``, or None; never an expired one.

        Args:
            cache_id: compared as bytes.
            now: the time for which to answer.
            timeout: the cache's present timeout in seconds, which may be lower than the one
                that the entry was saved with.
        """
        found = self.find(cache_id)
        return found.session if found and found.is_fresh(now=now, timeout=timeout) else None

    def find(self, cache_id: bytes) -> StoredSession | None:
        """Return the entry saved under ``cache_id``, expired or not.

        A row that this class would not have written is as good as none.
        """
        try:
            rows = self._connection.execute(_SELECT, (cache_id,)).fetchall()
        except sqlite3.Error as cause:
            raise store_error(self._directory, "look up a session", cause) from cause
        return self._accepted(*rows[0]) if rows else None

    def _accepted(
        self, mode: object, filename: object, value: object, stored_at: object, expires_at: object
    ) -> StoredSession | None:
        if not isinstance(stored_at, float) or not isinstance(expires_at, float):
            return None
        try:
            session = self._disk.fetch(mode, filename, value, read=False)
        except RefusedRowError:
            return None
        return StoredSession(session=session, stored_at=stored_at, expires_at=expires_at)

    def apply(self, changes: Sequence[Change]) -> list[bool]:
        """Make all changes in one transaction, in their order, or none of them.

        When this returns, they survive the death of the process (not of the machine).

        Returns:
            For each change whether it was done: True for a Put, and for a Remove whether there
            was an entry.
        """
        done: list[bool] = []
        if changes:
            self._check_in_place()
            with self._transaction("save sessions"):
                for _, run in groupby(changes, type):
                    done += self._apply_run(list(run))
        return done

    def _apply_run(self, run: Sequence[Change]) -> list[bool]:
        # All of one kind: saved at once, but removed one by one, since each has its own answer.
        rows = [(c.cache_id, c.stored_at, c.expires_at, c.session) for c in run if isinstance(c, Put)]
        if rows:
            self._connection.executemany(_UPSERT, rows)
            return [True] * len(rows)
        return [self._connection.execute(_DELETE, (change.cache_id,)).rowcount > 0 for change in run]

    def remove_expired(self, now: float, limit: int = SWEEP_STEP) -> list[bytes]:
        """Remove up to ``limit`` entries that expired at ``now`` or before, the oldest first.

        Returns:
            The cache ids of what was removed; fewer than ``limit`` when no more are left.
        """
        self._check_in_place()
        with self._transaction("remove expired sessions"):
            removed = self._connection.execute(_DELETE_EXPIRED, (now, limit)).fetchall()
        return [cache_id for (cache_id,) in removed]

    def count(self) -> int:
        """Return the number of entries, expired ones included; costs the same at any size."""
        return self._number(_COUNT)

    def size(self) -> int:
        """Return the bytes that the database uses on disk, less its log and its free pages."""
        return self._number(_SIZE)

    def expired_count(self, now: float) -> int:
        """Return the number of expired entries; reads the index of each, so not for a request."""
        return self._number(_COUNT_EXPIRED, now)

    def _number(self, query: str, *arguments: float) -> int:
        with store_errors(self._directory, "count sessions"):
            rows = self._connection.execute(query, arguments).fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], int):
            raise StoreError(
                f"session store {self._directory}: its counters are damaged; remove the directory,"
                " and it is made anew"
            )
        return rows[0][0]

    def _check_in_place(self) -> None:
        # SQLite goes on with a file that was removed, and what it saves there is lost at the end.
        # Of a closed store SQLite itself says so.
        if self._place != _CLOSED and self._found() != self._identity:
            raise StoreError(f"session store {self._directory}: {DATABASE_NAME} was replaced by another")

    def _found(self) -> tuple[int, int]:
        with store_errors(self._directory, "find the database"):
            found = os.stat(DATABASE_NAME, dir_fd=self._place)
        return found.st_dev, found.st_ino

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        execute = self._connection.execute
        with store_errors(self._directory, doing):
            execute("BEGIN IMMEDIATE")
            try:
                yield
                execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
