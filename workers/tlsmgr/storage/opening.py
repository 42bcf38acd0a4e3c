"""SQLite's connection to a store's database: opened at once or not at all, and only if it is ours.

diskcache makes the database. It is not asked to open it again: it would write its settings
anew each time, wait for up to a minute for the lock to do so, and apply to the connection
what settings it finds.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tlsmgr.errors import StoreBusyError, StoreDamagedError
from tlsmgr.storage.directory import prepare_directory
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.making import make_database
from tlsmgr.storage.quarantine import refuse_distrusted, set_aside
from tlsmgr.storage.schema import check_ours
from tlsmgr.storage.settings import DATABASE_NAME, connection_pragmas

_OPEN_PAUSE_SECONDS = 0.01


def open_database(
    directory: Path, *, checkpoints: bool, open_wait: float, boot: str, clock: Callable[[], float]
) -> sqlite3.Connection:
    """Open the database in ``directory``, which is made when it is missing.

    One that is damaged, or was in use when the machine went down, is set aside by the process
    that saves, and a new one is made.

    Args:
        directory: an absolute path, whose parent exists.
        checkpoints: whether this is the process that saves; of all processes at one directory it
            alone sets a database aside.
        open_wait: seconds to try for, while another process makes the database.
        boot: the identity of the machine's boot, empty if unknown.
        clock: the time of day in seconds since the epoch.

    Raises:
        StoreError: the directory or the database cannot be used.
        StoreDamagedError: it is to be set aside, by the process that saves.
        StoreBusyError: another process has it locked, or makes it just now.
    """
    give_up_at = time.monotonic() + open_wait
    while True:
        try:
            return _open_or_replace(directory, checkpoints=checkpoints, boot=boot, clock=clock)
        except StoreBusyError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(_OPEN_PAUSE_SECONDS)


def _open_or_replace(
    directory: Path, *, checkpoints: bool, boot: str, clock: Callable[[], float]
) -> sqlite3.Connection:
    prepare_directory(directory)
    try:
        refuse_distrusted(directory, boot)
        return _open(directory)
    except StoreDamagedError as error:
        if not checkpoints:
            raise
        set_aside(directory, clock(), str(error))
    prepare_directory(directory)
    return _open(directory)


def _open(directory: Path) -> sqlite3.Connection:
    path = directory / DATABASE_NAME
    if not path.exists():
        make_database(directory)
    with store_errors(str(directory), "open the database"), ExitStack() as undo:
        connection = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        undo.callback(connection.close)
        # What is no UTF-8 is not ours, and is told by its being another text.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        check_ours(connection)
        _set_pragmas(connection)
        undo.pop_all()
    return connection


def open_another(directory: Path) -> sqlite3.Connection:
    """Open a second connection to a database that this process has open, for use in any thread.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    with ExitStack() as undo:
        connection = sqlite3.connect(
            directory / DATABASE_NAME, timeout=0.0, isolation_level=None, check_same_thread=False
        )
        undo.callback(connection.close)
        _set_pragmas(connection)
        # Now, since SQLite opens the log when something is read, and a chroot jail may follow.
        connection.execute("PRAGMA schema_version").fetchall()
        undo.pop_all()
    return connection


def _set_pragmas(connection: sqlite3.Connection) -> None:
    for name, value in connection_pragmas().items():
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
