"""Who may be told the sealing keys: the process that runs the other worker, and no other.

That is the one that holds the lock of its pid file, which the kernel tells (F_GETLK in
fcntl(2)), as it tells who is at the other end of a socket (SO_PEERCRED in unix(7)).
"""

import fcntl
import os
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Final

from tlsmgr.errors import HostError

# Linux's struct flock: type, whence, start, length, process; and padding to its alignment.
_FLOCK: Final = struct.Struct("@hhqqi4x")
_CLOSED = -1
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


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
        try:
            descriptor = os.open(self._pid_file, _FLAGS, dir_fd=self._directory)
        except OSError:
            return None  # no file that a worker made: no worker
        try:
            question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            lock_type, _, _, _, process_id = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
        except OSError:
            return None  # a file system without locks tells of no worker
        finally:
            os.close(descriptor)
        return None if lock_type == fcntl.F_UNLCK else process_id
