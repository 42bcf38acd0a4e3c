"""A store's database, as one process has it open: transactions, upkeep, and an end that is clean."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count as counter
from pathlib import Path

from tlsmgr.errors import StoreBusyError, StoreDamagedError, StoreError, StoreHeldError
from tlsmgr.storage import quarantine
from tlsmgr.storage.failures import FAULTS, store_error, whole_number
from tlsmgr.storage.log_mover import LogMover
from tlsmgr.storage.opening import open_another, open_database
from tlsmgr.storage.settings import DATABASE_NAME
from tlsmgr.storage.wal_index import WalIndex, commits_between

_CLOSED = -1
_CLOSE_WAIT_MILLISECONDS = 500
# Over all stores of the process, so that what was remembered of one is never taken for another's.
_EPOCHS = counter()
# Pages of the log at which a commit moves them, whose owner did not before; at 6 us each.
_LOG_PAGES_LEFT = 250
# A log that is longer, as after somebody has been reading for long, is moved by a thread: SQLite
# moves it in one go or not at all, and 64 MiB take 0.1 s.
_LOG_PAGES_AT_ONCE = 300
# A log that is so long takes no more: 64 MiB.
_LOG_PAGES_AT_MOST = 2**14
# A change that changes nothing, so that the commit is known as our own. diskcache counts hits
# there, when it is told to.
_TOUCH = "UPDATE Settings SET value = 0 WHERE key = 'hits'"
# Free pages that are kept for what comes next: 1 MiB, or a sixteenth of the file.
_FREE_PAGES_KEPT, _FREE_SHARE_KEPT = 256, 16
_INCREMENTAL = 2


class Database:
    """One connection, and what belongs to it. For the thread that opened it, and no fork.

    Args:
        directory: an absolute path, whose parent exists; becomes mode 0700.
        saves: whether this is the process that saves: it moves the write-ahead log into the
            database, and of all processes at one directory, it alone does.
        lock_wait: seconds that a change waits for another connection's lock.
        open_wait: seconds that opening waits for another process.
        boot: the identity of the machine's boot; empty if unknown.
        clock: the time of day in seconds since the epoch.

    Attributes:
        connection: SQLite's.
        directory: the path, for messages.

    Raises:
        StoreError: as ``open_database`` says.
    """

    def __init__(
        self,
        directory: Path,
        *,
        saves: bool,
        lock_wait: float,
        open_wait: float,
        boot: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = str(directory)
        self._saves = saves
        self._place = self._parent = _CLOSED
        self._name = directory.name
        self._mover: LogMover | None = None
        with ExitStack() as undo:
            self.connection = open_database(
                directory, checkpoints=saves, open_wait=open_wait, boot=boot, clock=clock
            )
            undo.callback(self.close, durably=False)
            with self.errors("open the directory"):
                # By descriptor, since in a chroot jail the path leads nowhere.
                self._place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._parent = os.open(directory.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._identity = self._found()
                quarantine.mark_in_use(self._place, saves=saves, boot=boot)
                self._wal_index = WalIndex(self._place)
                if saves:
                    self._mover = LogMover(open_another(directory), self._wal_index)
                self._begin(lock_wait)
            undo.pop_all()

    def _begin(self, lock_wait: float) -> None:
        self._wait_for_locks(round(lock_wait * 1000))
        self._can_shrink = self.number("PRAGMA auto_vacuum") == _INCREMENTAL
        self._header = self._wal_index.header()
        self._epoch = next(_EPOCHS)

    def close(self, *, durably: bool = True) -> None:
        """Close it; a second time does nothing.

        Args:
            durably: have all on the disk first, which takes as long as the disk takes; a
                database that was not closed so is not trusted after the machine went down.
        """
        mover, self._mover = self._mover, None
        if mover is not None:
            mover.close()
        try:
            with self.errors("close the database"):
                is_on_disk = durably and self._place != _CLOSED and self._sync()
                self.connection.close()
                if is_on_disk:
                    quarantine.unmark_in_use(self._place, saves=self._saves)
        finally:
            self.connection.close()
            self._close_files()

    def _close_files(self) -> None:
        if hasattr(self, "_wal_index"):
            self._wal_index.close()
            del self._wal_index
        for descriptor in {self._place, self._parent} - {_CLOSED}:
            os.close(descriptor)
        self._place = self._parent = _CLOSED

    def _sync(self) -> bool:
        """Have everything on the disk by the time the connection is closed; tell whether it is.

        The process that saves moves its log into the database, if nobody reads from it. Another
        one has it done by SQLite, which does it when the last connection is closed, or else
        leaves it to the one that saves. A change comes first, since SQLite syncs only what it moves.
        """
        self._wait_for_locks(_CLOSE_WAIT_MILLISECONDS)
        self.connection.execute("PRAGMA synchronous = 2").fetchall()
        try:
            with self.transaction("close the database"):
                self.connection.execute(_TOUCH)
        except StoreBusyError:
            return False
        # Another one of the process at the same directory may be moving it.
        return not self._saves or (not self._wal_index.is_being_moved and self._is_all_moved())

    def _is_all_moved(self) -> bool:
        busy, frames, moved = self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return not busy and bool(frames == moved)

    @property
    def epoch_of_commit(self) -> int:
        """The epoch that the last transaction belongs to; over, if another one was committed since."""
        return self._epoch

    def epoch(self) -> int:
        """Return a number that is a new one as soon as another connection changed something.

        Changes through this one leave it as it is. It costs less than a microsecond. What was
        read when it was the same is still so.
        """
        header = self._wal_index.header()
        if header != self._header:
            self._header = header
            self._epoch = next(_EPOCHS)
        return self._epoch

    def failure(self, doing: str, cause: sqlite3.Error | OSError | UnicodeDecodeError) -> StoreError:
        """Return the error to raise for ``cause``; damage is marked, so that a new start is made."""
        error = store_error(self.directory, doing, cause)
        if isinstance(error, StoreDamagedError) and self._place != _CLOSED:
            quarantine.mark_damaged(self._place)
        return error

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn the errors of SQLite and of the operating system into those of ``failure``."""
        try:
            yield
        except FAULTS as cause:
            raise self.failure(doing, cause) from cause

    def number(self, query: str, *arguments: float) -> int:
        """Return the one number that a query finds."""
        try:
            return whole_number(self.connection.execute(query, arguments).fetchall())
        except FAULTS as cause:
            raise self.failure("count sessions", cause) from cause

    @contextmanager
    def transaction(self, doing: str) -> Iterator[None]:
        """Commit what is done within; when this raises an error, nothing of it."""
        execute = self.connection.execute
        with self.errors(doing):
            if self._place != _CLOSED:  # else SQLite itself says so
                self._check()
            execute("BEGIN IMMEDIATE")
            changed = self.connection.total_changes
            try:
                yield
                self.epoch()  # nobody else commits from here to our own commit
                execute("COMMIT")
                self._claim_commit(own=self.connection.total_changes != changed)
            finally:
                if self.connection.in_transaction:
                    execute("ROLLBACK")
        if self._saves and self.log_backlog() >= _LOG_PAGES_LEFT:
            with suppress(StoreError):  # which is no reason to call undone what was committed
                self.move_log()

    def _claim_commit(self, *, own: bool) -> None:
        # One commit more than our own, and another connection was quick.
        header = self._wal_index.header()
        if commits_between(self._header, header) == own:
            self._header = header

    def _check(self) -> None:
        if self._saves:
            self._check_in_place()
            self._check_log()
        else:
            self.check_undamaged()

    def _check_log(self) -> None:
        # It can be moved as far only as nobody reads from it.
        if self.log_backlog() < _LOG_PAGES_AT_MOST:
            return
        if self.move_log():
            raise StoreBusyError(f"session store {self.directory}: its log is being moved; try again")
        if self._mover is not None and self._mover.failure is not None:
            raise self.failure("move the log", self._mover.failure)
        raise StoreHeldError(
            f"session store {self.directory}: its log has grown to {_LOG_PAGES_AT_MOST} pages, since"
            " another process has been reading the database for long; end that process"
        )

    def check_undamaged(self) -> None:
        """Look whether the database is where it was, and whether another process found damage.

        Raises:
            StoreDamagedError: another process did, or set the directory aside.
            StoreError: the database or its directory was removed, moved or replaced.
        """
        if quarantine.is_marked_damaged(self._place):
            raise StoreDamagedError(f"session store {self.directory}: was found damaged and is set aside")
        self._check_in_place()

    def log_backlog(self) -> int:
        """Return how many pages of the log the process that saves has not yet moved."""
        if self._place == _CLOSED:
            raise StoreError(f"session store {self.directory}: it is closed")
        return self._wal_index.backlog()

    def move_log(self) -> bool:
        """Move into the database what nobody reads from the log any more, or have a thread do so.

        It takes less than 2 ms. Safe with SQLite before 3.51.3 too: while pages are left to move,
        nobody starts the log anew, and nobody else moves them.

        Returns:
            Whether there is less of it now, or soon.
        """
        before = self.log_backlog()
        if self._mover is None or not before:
            return False
        if self._mover.is_moving or before > _LOG_PAGES_AT_ONCE:
            return self._mover.start()
        with self.errors("move the log"):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return self.log_backlog() < before

    def give_back(self, pages: int) -> bool:
        """Give up to ``pages`` free pages back, but for some; tell whether there are more."""
        spare = self._spare_pages()
        if spare > 0:
            with self.transaction("give back free space"):
                self.connection.execute(_TOUCH)
                self.connection.execute(f"PRAGMA incremental_vacuum({min(spare, pages)})").fetchall()
        return spare > pages

    def _spare_pages(self) -> int:
        if not self._can_shrink:
            return 0
        kept = max(_FREE_PAGES_KEPT, self.number("PRAGMA page_count") // _FREE_SHARE_KEPT)
        return self.number("PRAGMA freelist_count") - kept

    def _wait_for_locks(self, milliseconds: int) -> None:
        self.connection.execute(f"PRAGMA busy_timeout = {milliseconds}").fetchall()

    def _check_in_place(self) -> None:
        # SQLite goes on with a file that was removed or moved, and what it saves there is not
        # found by the next one that opens the store.
        if self._found() != self._identity:
            raise StoreError(f"session store {self.directory}: {DATABASE_NAME} was replaced by another")
        if not os.path.samestat(self._found_directory(), os.fstat(self._place)):
            raise StoreError(f"session store {self.directory}: the directory was replaced by another")

    def _found(self) -> tuple[int, int]:
        with self.errors("find the database"):
            found = os.stat(DATABASE_NAME, dir_fd=self._place)
        return found.st_dev, found.st_ino

    def _found_directory(self) -> os.stat_result:
        with self.errors("find the directory"):
            return os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
