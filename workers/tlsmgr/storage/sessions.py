"""One session cache: entries with a time of expiry, in a diskcache directory.

Several processes share a directory. Every call is short and synchronous: a lookup reads a
snapshot and waits for no writer, and a change that finds the store locked says so at once.
Times are seconds since the epoch, and always arguments.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from tlsmgr.storage import statements
from tlsmgr.storage.database import Database
from tlsmgr.storage.entries import Change, Put, Remove, StoredSession, is_fresh
from tlsmgr.storage.failures import FAULTS, DamageError
from tlsmgr.storage.limits import NO_LIMITS, Applied, Room, Row, StoreLimits
from tlsmgr.storage.listing import PAGE_SIZE, ListedEntry, read_page
from tlsmgr.storage.quarantine import BOOT_ID, boot_identity
from tlsmgr.storage.rawdisk import RawDisk

__all__ = [
    "BACKLOG_TO_MOVE",
    "SWEEP_STEP",
    "Applied",
    "Change",
    "Put",
    "Remove",
    "SessionStore",
    "StoreLimits",
    "StoredSession",
    "is_fresh",
]

#: Pages that one step of giving back moves at most, in less than 2 ms.
RELEASE_STEP = 32
#: Pages of the log from which on it is worth while to move it: 0.4 ms, between two requests.
BACKLOG_TO_MOVE = 64

#: Rows that one step of a sweep removes, in about 0.5 ms at a million entries: more would make
#: another process's writer wait for longer (with diskcache's own expire(), p99 20 ms).
SWEEP_STEP = 25


class SessionStore:
    """One cache. It belongs to the thread that opened it, and is not for use after a fork.

    All methods raise StoreError when the store cannot be used (damaged, full, closed), and
    StoreBusyError when another connection's lock is in the way: nothing was changed then, and
    the same call may succeed a moment later.
    """

    def __init__(
        self,
        directory: Path,
        *,
        checkpoints: bool,
        lock_wait: float = 0.0,
        open_wait: float = 0.0,
        boot_id: Path = BOOT_ID,
    ) -> None:
        """Open the store, and make it when it is not there.

        One that is damaged, or was in use when the machine went down, is set aside as
        ``DIRECTORY.damaged-TIME``, and a new one begun: by the process that saves. It takes some
        milliseconds, most of them for a mark that is to be on the disk.

        Args:
            directory: an absolute path, whose parent exists; becomes mode 0700.
            checkpoints: whether this one moves the write-ahead log into the database: True for
                the process that saves, which so keeps the log short, and False for all others.
            lock_wait: seconds that a change waits for another connection's lock.
            open_wait: seconds that opening waits for another process that makes the store.
            boot_id: the file that has another content after each boot of the machine.

        Raises:
            StoreError: the directory or the database is not ours alone, or not to be made.
            StoreDamagedError: it is to be set aside first, by the process that saves.
            StoreBusyError: another process has it locked; the same may succeed a moment later.
        """
        self._database = Database(
            directory,
            saves=checkpoints,
            lock_wait=lock_wait,
            open_wait=open_wait,
            boot=boot_identity(boot_id),
        )
        self._execute = self._database.connection.execute
        self._disk = RawDisk(str(directory))
        self._room = Room(self._database)
        #: See ``Database.epoch``.
        self.epoch = self._database.epoch

    def close(self, *, durably: bool = True) -> None:
        """Close the store; a second time does nothing.

        Args:
            durably: have all on the disk first, which may take a second or more: for the end of
                a process. One that was not closed so is not trusted after the machine went down.
        """
        self._database.close(durably=durably)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(durably=False)

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

        Raises:
            StoreDamagedError: there is a row that this class would not have written.
        """
        try:
            rows = self._execute(statements.SELECT, (cache_id,)).fetchall()
            return self._accepted(*rows[0]) if rows else None
        except FAULTS as cause:
            raise self._database.failure("look up a session", cause) from cause

    def _accepted(
        self, mode: object, filename: object, value: object, stored_at: object, expires_at: object
    ) -> StoredSession:
        if not isinstance(stored_at, float) or not isinstance(expires_at, float):
            raise DamageError("it holds a row that this program did not write")
        session = self._disk.fetch(mode, filename, value, read=False)
        return StoredSession(session=session, stored_at=stored_at, expires_at=expires_at)

    def apply(self, changes: Sequence[Change], limits: StoreLimits = NO_LIMITS) -> Applied:
        """Make all changes in one transaction, in their order, or none of them.

        When this returns, they survive the death of the process (not of the machine). What
        they made too much by ``limits`` has gone in the same transaction, the entries nearest
        to expiry first: the store is then within 1% of its limits. If it was over them before,
        as after an edit, it is at least no larger; ``evict`` is for that.
        """
        if not changes:
            return Applied()
        done: list[bool] = []
        with self._database.transaction("save sessions"):
            has_room = self._room.has_plenty(limits, changes)
            size_before = 0 if has_room else self._room.measure(limits)
            rows, places = ([], {}) if has_room else self._room.make_places(limits, changes, size_before)
            for _, run in groupby(changes, type):
                done += self._apply_run(list(run), places)
            rows += [] if has_room else self._room.restore(limits, len(changes), len(rows), size_before)
        return Applied(
            done=done,
            evicted=_cache_ids(rows),
            expired=_expired(rows, _latest(changes)) if rows else 0,
            epoch=self._database.epoch_of_commit,
        )

    def evict(self, limits: StoreLimits, at_most: int, now: float) -> Applied:
        """Remove up to ``at_most`` entries, the nearest to expiry first, if there are too many.

        This is for the time after a limit was lowered, to be called until it removes nothing:
        ``apply`` keeps a store within limits that it is within.

        Returns:
            What was removed, and how much of that had expired at ``now``.
        """
        if not self._room.is_over(limits):
            return Applied()  # without waiting for anybody's lock
        with self._database.transaction("remove sessions"):
            rows = self._room.reduce(limits, at_most)
        return Applied(evicted=_cache_ids(rows), expired=_expired(rows, now))

    def _apply_run(self, run: Sequence[Change], places: Mapping[bytes, int]) -> list[bool]:
        # All of one kind: saved at once, but removed one by one, since each has its own answer.
        rows = [
            (c.cache_id, c.stored_at, c.expires_at, c.session, places.get(c.cache_id))
            for c in run
            if isinstance(c, Put)
        ]
        if rows:
            self._database.connection.executemany(statements.UPSERT, rows)
            return [True] * len(rows)
        return [self._execute(statements.DELETE, (change.cache_id,)).rowcount > 0 for change in run]

    def remove_expired(self, now: float, limit: int = SWEEP_STEP) -> list[bytes]:
        """Remove up to ``limit`` entries that expired at ``now`` or before, the oldest first.

        Returns:
            The cache ids of what was removed; fewer than ``limit`` when no more are left.
        """
        with self._database.transaction("remove expired sessions"):
            removed = self._execute(statements.DELETE_EXPIRED, (now, limit)).fetchall()
        return [cache_id for (cache_id,) in removed]

    def page(self, after: int, at_most: int, head_size: int) -> list[tuple[int, bytes, bytes]]:
        """Return up to ``at_most`` entries: number, cache id, and the session's first ``head_size`` bytes.

        Args:
            after: the number of the last entry of the page before; 0 for the first page.
            at_most: fewer are returned when no more are left.
            head_size: a session that is shorter is returned whole.
        """
        try:
            return self._execute(statements.PAGE, (after, at_most, head_size)).fetchall()
        except FAULTS as cause:
            raise self._database.failure("go through the sessions", cause) from cause

    def entries(self, after: int, at_most: int = PAGE_SIZE) -> list[ListedEntry]:
        """Return a page of the entries behind number ``after``, which is 0 at first; see ``read_page``."""
        try:
            return read_page(self._execute, after, at_most)
        except FAULTS as cause:
            raise self._database.failure("list the sessions", cause) from cause

    def log_backlog(self) -> int:
        """Return the pages of the log that were not yet moved into the database.

        Only the process that saves moves them; others had better wait while there are many.
        """
        return self._database.log_backlog()

    def move_log(self) -> bool:
        """Move the log into the database if there is ``BACKLOG_TO_MOVE`` of it; a long one by a thread.

        It takes less than 2 ms. To be called by the process that saves, after a change. A change
        that finds much more of it moves it first.

        Returns:
            Whether some of it was moved or is being moved.
        """
        return self._database.log_backlog() >= BACKLOG_TO_MOVE and self._database.move_log()

    def release_space(self, pages: int = RELEASE_STEP) -> bool:
        """Do some upkeep: move a log that others left, give back up to ``pages`` free pages.

        To be called by the process that saves, about once a second, and again after 10 ms
        while it returns True.

        Raises:
            StoreDamagedError: another process found damage; opening the store anew mends it.
        """
        self._database.check_undamaged()
        if self._database.log_backlog() >= BACKLOG_TO_MOVE:
            return self.move_log()
        return self._database.give_back(pages)

    def count(self) -> int:
        """Return the number of entries, expired ones included; costs the same at any size."""
        return self._database.number(statements.COUNT)

    def size(self) -> int:
        """Return the bytes that the database uses on disk, less its log and its free pages."""
        return self._database.number(statements.SIZE)

    def oldest(self) -> int:
        """Return when the entry that expires first was stored, in whole seconds; 0 without entries."""
        return self._database.number(statements.OLDEST)

    def expired_count(self, now: float) -> int:
        """Return the number of expired entries; reads the index of each, so not for a request."""
        return self._database.number(statements.COUNT_EXPIRED, now)


def _latest(changes: Sequence[Change]) -> float:
    return max((change.stored_at for change in changes if isinstance(change, Put)), default=0.0)


def _expired(rows: Sequence[Row], now: float) -> int:
    # Of those that ``_cache_ids`` tells.
    ours = [expires_at for _, key, expires_at in rows if isinstance(key, bytes)]
    return sum(isinstance(expires_at, float) and expires_at <= now for expires_at in ours)


def _cache_ids(rows: Sequence[Row]) -> list[bytes]:
    # Nobody asks for a planted row by a key that is no bytes.
    return [key for _, key, _ in rows if isinstance(key, bytes)]
