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
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class OtherWorker:
    """Tells whether a peer is the other worker. Works on after a chroot, see ``enter_jail``.

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
        self._run_directory: Path | None = run_directory
        try:
            self._directory = os.open(run_directory, _FLAGS)
        except OSError as error:
            raise HostError(f"cannot open {run_directory}: {error.strerror}") from error

    def enter_jail(self) -> None:
        """Stay with the directory that is open: its path means something else from now on."""
        self._run_directory = None

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
        self._follow()
        return lock_holder(self._pid_file, dir_fd=self._directory)

    def _follow(self) -> None:
        """Open the run directory anew if it was removed and made again."""
        if self._run_directory is None:
            return
        try:
            if os.path.samestat(self._run_directory.stat(), os.fstat(self._directory)):
                return
            fresh = os.open(self._run_directory, _FLAGS)
        except OSError:
            return  # there is none now: who held a lock in the former one holds it still
        os.close(self._directory)
        self._directory = fresh
