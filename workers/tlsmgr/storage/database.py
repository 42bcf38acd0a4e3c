"""diskcache's cache with our connection; the one place for its private names.

diskcache applies the settings that it finds in the file to each connection that it opens.
This one looks at the file first, and applies its own.
"""

import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

from diskcache import Cache

from tlsmgr.errors import StoreBusyError
from tlsmgr.storage.directory import DATABASE_NAME, prepare_directory
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.rawdisk import RawDisk
from tlsmgr.storage.schema import check_complete, check_nothing_foreign
from tlsmgr.storage.settings import DISKCACHE_SETTINGS, OPEN_WAIT_SECONDS, connection_pragmas

_OPEN_PAUSE_SECONDS = 0.02


class CacheDatabase(Cache):  # type: ignore[misc]  # diskcache ships no types
    """A diskcache cache of inline bytes, bound to the thread that opened it."""

    def __init__(self, directory: str, *, checkpoints: bool) -> None:
        self._pragmas = connection_pragmas(checkpoints=checkpoints)
        with ExitStack() as undo:
            undo.callback(self._close_if_opened)
            super().__init__(directory, disk=RawDisk, **DISKCACHE_SETTINGS)
            check_complete(self.connection, directory)
            undo.pop_all()

    @property
    def connection(self) -> sqlite3.Connection:
        """The one connection, in autocommit mode."""
        return self._con

    @property
    def _con(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "con", None)
        if connection is None:
            connection = self._local.con = self._connect()
        return connection

    @property
    def _sql_retry(self) -> object:
        # diskcache would try for a minute; the connection's own wait is enough.
        return self._con.execute

    def _connect(self) -> sqlite3.Connection:
        path = Path(self._directory, DATABASE_NAME)
        connection = sqlite3.connect(path, timeout=OPEN_WAIT_SECONDS, isolation_level=None)
        with ExitStack() as undo:
            undo.callback(connection.close)
            check_nothing_foreign(connection, self._directory)
            for name, value in self._pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}").fetchall()
            undo.pop_all()
        return connection

    def _close_if_opened(self) -> None:
        if hasattr(self, "_local"):
            self.close()


def open_database(directory: Path, *, checkpoints: bool, lock_wait: float) -> CacheDatabase:
    """Open the database in ``directory``, which is made when it is missing.

    Args:
        directory: an absolute path, whose parent exists.
        checkpoints: whether this connection moves the write-ahead log into the database; of
            all processes at one directory, one does.
        lock_wait: seconds that a statement waits for another connection's lock. Opening
            itself waits up to two seconds.

    Raises:
        StoreError: the directory or the database cannot be used.
        StoreBusyError: another process kept it locked.
    """
    prepare_directory(directory)
    deadline = time.monotonic() + OPEN_WAIT_SECONDS
    while True:
        try:
            return _open(directory, checkpoints=checkpoints, lock_wait=lock_wait)
        except StoreBusyError:
            # Where two make the same database, SQLite refuses the change to WAL without waiting.
            if time.monotonic() >= deadline:
                raise
            time.sleep(_OPEN_PAUSE_SECONDS)


def _open(directory: Path, *, checkpoints: bool, lock_wait: float) -> CacheDatabase:
    with store_errors(str(directory), "open the database"):
        database = CacheDatabase(str(directory), checkpoints=checkpoints)
        with ExitStack() as undo:
            undo.callback(database.close)
            database.connection.execute(f"PRAGMA busy_timeout = {round(lock_wait * 1000)}").fetchall()
            undo.pop_all()
    return database
