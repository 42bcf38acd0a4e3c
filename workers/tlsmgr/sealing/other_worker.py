"""Who may be told the sealing keys: the process that runs the other worker, and no other.

That is the one that holds the lock of its pid file, which the kernel tells (F_GETLK in
fcntl(2)), as it tells who is at the other end of a socket (SO_PEERCRED in unix(7)).
"""

import os
from collections.abc import Collection
from pathlib import Path

from tlsmgr.errors import HostError
from tlsmgr.lock_holder import lock_holder

_CLOSED = -1


class OtherWorker:
    """Tells whether a peer is the other worker. Works on after a chroot.

    The lock is a POSIX one (``fcntl.lockf``); this process must hold none on the same file.

    Args:
        run_directory: where the pid files are.
        name: the other worker's, such as ``prng-server``.
        user_ids: as whom it may run: root's and ``$mail_owner``'s.

    Raises:
        HostError: the directory cannot be opened.
    """

    def __init__(self, run_directory: Path, name: str, user_ids: Collection[int]) -> None:
        self._pid_file = f"{name}.pid"
        self._user_ids = frozenset(user_ids)
        try:
            self._directory = os.open(run_directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise HostError(f"cannot open {run_directory}: {error.strerror}") from error

    def close(self) -> None:
        """Give back the directory; afterwards nobody is the other worker."""
        if self._directory != _CLOSED:
            os.close(self._directory)
            self._directory = _CLOSED

    def is_peer(self, process_id: int, user_id: int) -> bool:
        """Tell whether these credentials, from the kernel, are the other worker's, now."""
        return user_id in self._user_ids and process_id > 0 and process_id == self._process_id()

    def _process_id(self) -> int | None:
        """Return the id of the process that holds the lock; None when nobody does."""
        if self._directory == _CLOSED:
            return None
        return lock_holder(self._pid_file, dir_fd=self._directory)
