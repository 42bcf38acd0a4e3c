"""A log that has become long, moved into its database by a thread, so that nobody waits for it."""

import sqlite3
import threading
import time

from tlsmgr.storage.wal_index import WalIndex

# After a move that came to nothing, another one is not begun for so long.
_HELD_SECONDS = 0.1


class LogMover:
    """Moves a log through a connection of its own; the one that it is moved for goes on meanwhile.

    Whoever else moves that log must not do so while ``is_moving``: see ``Database.move_log``.

    Attributes:
        failure: Why the last move failed; None if it did not.

    Args:
        connection: Open, and for use in any thread.
        wal_index: That of the log; all that move it in this process know by it of each other.
    """

    def __init__(self, connection: sqlite3.Connection, wal_index: WalIndex) -> None:
        self.failure: sqlite3.Error | OSError | None = None
        self._connection = connection
        self._wal_index = wal_index
        self._thread: threading.Thread | None = None
        self._held_until = 0.0

    @property
    def is_moving(self) -> bool:
        """Whether a move is under way, by this object or by another one of the process."""
        return self._wal_index.is_being_moved

    def start(self) -> bool:
        """Begin to move all that nobody reads from the log any more, if that is not under way.

        Returns:
            Whether a move is under way; False when no thread can be had, and for a while after
            one that moved nothing, since somebody reads or for its ``failure``.
        """
        if not self.is_moving:
            if time.monotonic() < self._held_until:
                return False
            thread = threading.Thread(target=self._move, name="log mover", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                self.failure = OSError(str(error))
                return False
            self._thread = self._wal_index.mover = thread
        return True

    def close(self) -> None:
        """End a move where it is, which loses nothing but its work, and let go of the connection."""
        if self._thread is not None:
            self._connection.interrupt()
            self._thread.join()
        self._connection.close()

    def _move(self) -> None:
        before = self._wal_index.moved()
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self.failure = None
        except sqlite3.Error as error:
            self.failure = error
        if self._wal_index.moved() == before:
            self._held_until = time.monotonic() + _HELD_SECONDS
