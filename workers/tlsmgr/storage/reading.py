"""A store that is only looked at, whoever else uses it: no lock, no mark, nothing made."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from tlsmgr.errors import StoreError
from tlsmgr.storage.directory import check_plain
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.listing import PAGE_SIZE, ListedEntry, read_page
from tlsmgr.storage.quarantine import boot_identity, refuse_distrusted
from tlsmgr.storage.schema import check_ours
from tlsmgr.storage.settings import DATABASE_NAME, connection_pragmas

_BUSY_MILLISECONDS = 2000


def has_database(directory: Path) -> bool:
    """Whether the store was made; a link in its place counts, and is refused by ``connect_to_read``.

    Raises:
        StoreError: That cannot be seen.
    """
    with store_errors(str(directory), "look for the database"):
        try:
            (directory / DATABASE_NAME).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def connect_to_read(directory: Path) -> sqlite3.Connection:
    """Return a connection to a store's database that changes nothing in it.

    Raises:
        StoreError: there is no database, or a link in its place.
        sqlite3.Error: it cannot be opened.
    """
    path = directory / DATABASE_NAME
    try:
        check_plain(path.lstat(), path)  # of all files, SQLite follows a link for this one
    except FileNotFoundError as error:
        raise StoreError(
            f"session store {directory}: there is no {DATABASE_NAME}; the cache server makes it"
        ) from error
    # mode=ro could not make the shared index of a log that nobody has open; query_only writes nothing.
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None)
    own = connection_pragmas() | {"busy_timeout": _BUSY_MILLISECONDS, "query_only": 1}
    with ExitStack() as undo:
        undo.callback(connection.close)
        for name, value in own.items():
            if name != "journal_mode":
                connection.execute(f"PRAGMA {name} = {value}").fetchall()
        undo.pop_all()
    return connection


class StoreReader:
    """One store's entries. Between two pages it is in nobody's way, however long that is.

    Args:
        directory: the store's.

    Raises:
        StoreDamagedError: it is to be set aside, by the process that saves.
        StoreError: it cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        refuse_distrusted(directory, boot_identity())
        with store_errors(self._directory, "open the database"), ExitStack() as undo:
            self._connection = connect_to_read(directory)
            undo.callback(self._connection.close)
            check_ours(self._connection)
            undo.pop_all()

    def entries(self, after: int, at_most: int = PAGE_SIZE) -> list[ListedEntry]:
        """Return a page of the entries behind number ``after``, which is 0 at first; see ``read_page``.

        Raises:
            StoreError: it cannot be read.
        """
        with store_errors(self._directory, "list the sessions"):
            return read_page(self._connection.execute, after, at_most)

    def close(self) -> None:
        """Let go of it; a second time does nothing."""
        self._connection.close()
