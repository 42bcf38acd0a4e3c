"""Whether a store is whole, looked at while others use it. Changes nothing.

The rows are read in steps, each a short transaction of its own: a long one would keep the log from
being moved. SQLite's own check is one statement for each table, which gives way when the log has
grown long meanwhile.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from tlsmgr.errors import StoreBusyError
from tlsmgr.storage.directory import opened_directory
from tlsmgr.storage.failures import FAULTS, store_error, whole_number
from tlsmgr.storage.limits import StoreLimits
from tlsmgr.storage.quarantine import boot_identity, refuse_distrusted
from tlsmgr.storage.reading import connect_to_read
from tlsmgr.storage.schema import check_ours
from tlsmgr.storage.wal_index import WalIndex

_ROWS_A_STEP = 1000
# A store is within its limits to this part of them, while it gets below again.
_LEEWAY = 1.02
# Half of what makes a store take no more changes, and how often to look.
_LOG_PAGES, _LOOK_SECONDS = 2**13, 0.02
_NEXT = "SELECT max(rowid) FROM (SELECT rowid FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT ?)"
_ODD = """
    SELECT count(*) FROM Cache WHERE rowid > ?1 AND rowid <= ?2 AND NOT (
        raw = 1 AND mode = 1 AND filename IS NULL AND size = 0 AND tag IS NULL
        AND typeof(key) = 'blob' AND typeof(value) = 'blob'
        AND typeof(store_time) = 'real' AND typeof(expire_time) = 'real')
"""
_UNSEALED = """
    SELECT count(*) FROM Cache WHERE rowid > ?1 AND rowid <= ?2
        AND (length(value) < ?3 OR substr(value, 1, length(?4)) <> ?4)
"""
_COUNTED = "SELECT value FROM Settings WHERE key = 'count'"
_SIZE = """
    SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedForm:
    """What every stored session looks like: how it begins, and its size at the least."""

    prefix: bytes
    size: int


def defects(directory: Path, limits: StoreLimits, sealed: SealedForm) -> Iterator[str]:
    """Yield what is wrong with the store in ``directory``, and what to do about it.

    Args:
        directory: an absolute path, with a database in it.
        limits: what the store may hold.
        sealed: the form of each session.

    Raises:
        StoreError: the store cannot be read; StoreDamagedError when it is to be set aside;
            StoreBusyError when so much is saved meanwhile that the check had to give way.
    """
    refuse_distrusted(directory, boot_identity())
    try:
        with _opened(directory) as (connection, log):
            for problem in (
                *_integrity(directory, connection, log),
                *_rows(connection, sealed),
                *_excess(connection, limits),
            ):
                yield f"session store {directory}: {problem}"
    except FAULTS as cause:
        raise store_error(str(directory), "verify it", cause) from cause


@contextmanager
def _opened(directory: Path) -> Iterator[tuple[sqlite3.Connection, WalIndex | None]]:
    with closing(connect_to_read(directory)) as connection:
        check_ours(connection)
        log: WalIndex | None = None
        with opened_directory(directory) as place, suppress(FileNotFoundError):
            log = WalIndex(place)  # not there for one that was just compacted
        try:
            yield connection, log
        finally:
            connection.close()  # before the log: see WalIndex
            if log is not None:
                log.close()


def _integrity(directory: Path, connection: sqlite3.Connection, log: WalIndex | None) -> Iterator[str]:
    for table in ("Settings", "Cache"):
        with _giving_way(directory, connection, log):
            findings = connection.execute(f"PRAGMA quick_check('{table}')").fetchmany(3)
        for (finding,) in findings:
            if finding != "ok":
                yield f"SQLite finds: {finding}; restart the cache server, which sets a damaged store aside"


@contextmanager
def _giving_way(directory: Path, connection: sqlite3.Connection, log: WalIndex | None) -> Iterator[None]:
    """End a long statement before the cache server can save no more for it."""
    is_done = Event()

    def watch() -> None:
        while not is_done.wait(_LOOK_SECONDS):
            if log is not None and log.backlog() >= _LOG_PAGES:
                connection.interrupt()

    watcher = Thread(target=watch, name="log-watcher")
    watcher.start()
    try:
        yield
    except sqlite3.OperationalError as cause:
        if cause.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise StoreBusyError(
            f"session store {directory}: so much is saved just now that a check would keep its log from"
            " being moved; verify it later"
        ) from cause
    finally:
        is_done.set()
        watcher.join()


def _rows(connection: sqlite3.Connection, sealed: SealedForm) -> Iterator[str]:
    odd = unsealed = 0
    for first, last in _steps(connection):
        odd += whole_number(connection.execute(_ODD, (first, last)).fetchall())
        arguments = (first, last, sealed.size, sealed.prefix)
        unsealed += whole_number(connection.execute(_UNSEALED, arguments).fetchall())
    if odd:
        yield f"{odd} rows were not written by this program; find out who can write there, then remove it"
    if unsealed:
        yield f"{unsealed} sessions are not sealed; run: tlsmgr revoke"


def _steps(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    last = -(2**63)  # a planted row may have any number
    while True:
        ((following,),) = connection.execute(_NEXT, (last, _ROWS_A_STEP)).fetchall()
        if following is None:
            return
        yield last, following
        last = following


def _excess(connection: sqlite3.Connection, limits: StoreLimits) -> Iterator[str]:
    held = (("entries", _COUNTED, limits.entries), ("bytes", _SIZE, limits.size))
    for unit, query, limit in held:
        number = whole_number(connection.execute(query).fetchall())
        if limit and number > limit * _LEEWAY:
            yield f"it holds {number} {unit}, more than the limit of {limit}; is the cache server running?"
