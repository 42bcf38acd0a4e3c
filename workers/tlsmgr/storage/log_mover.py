"""A log that has become long, moved into its database by a thread, so that nobody waits for it."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress

# After a move that came to nothing, another one is not begun for so long.
_HELD_SECONDS = 0.1


class LogMover:
    """Moves a log through a connection of its own; the one that it is moved for goes on meanwhile.

    Whoever else moves that log must not do so while ``is_moving``: see ``Database.move_log``.

    Args:
        connection: Open, and for use in any thread.
        moved: Tells how many pages of the log are in the database.
    """

    def __init__(self, connection: sqlite3.Connection, moved: Callable[[], int]) -> None:
        self._connection = connection
        self._moved = moved
        self._thread: threading.Thread | None = None
        self._held_until = 0.0

    @property
    def is_moving(self) -> bool:
        """Whether a move is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> bool:
        """Begin to move all that nobody reads from the log any more, if that is not under way.

        Returns:
            Whether a move is under way; False for a while after one that somebody who reads kept
            from moving anything.
        """
        if not self.is_moving:
            if time.monotonic() < self._held_until:
                return False
            self._thread = threading.Thread(target=self._move, name="log mover", daemon=True)
            self._thread.start()
        return True

    def close(self) -> None:
        """End a move where it is, which loses nothing but its work, and let go of the connection."""
        if self._thread is not None:
            self._connection.interrupt()
            self._thread.join()
        self._connection.close()

    def _move(self) -> None:
        before = self._moved()
        with suppress(sqlite3.Error):  # whoever uses the database meets the same error, and says so
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if self._moved() == before:
            self._held_until = time.monotonic() + _HELD_SECONDS
