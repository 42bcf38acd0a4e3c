"""The pid file of a worker: says who runs, and that no second one does."""

import fcntl
import os
from pathlib import Path
from typing import Self

from tlsmgr.errors import AddressInUseError, HostError


class PidFile:
    """A file that holds the process id, and a lock for as long as the process lives.

    The lock, not the number, tells whether a worker runs: it ends with the process
    however that ends, so nothing stale can stand in the way.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Lock the file at ``path``, making it if need be, and write our process id.

        Raises:
            AddressInUseError: Another process holds the lock.
            HostError: The file cannot be made, locked or written.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(f"cannot open pid file {path}: {error.strerror}") from error
        try:
            _lock_and_write(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            raise AddressInUseError(f"{path} is locked: this worker runs already") from None
        except OSError as error:
            os.close(descriptor)
            raise HostError(f"cannot write pid file {path}: {error.strerror}") from error
        return cls(path, descriptor)

    def release(self) -> None:
        """Empty the file and give up the lock.

        The file stays: to remove it would let two processes lock two files of one name.

        Raises:
            HostError: The file cannot be emptied; the lock is given up.
        """
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise HostError(f"cannot empty pid file {self._path}: {error.strerror}") from error
        finally:
            os.close(self._descriptor)


def _lock_and_write(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Of this kind the kernel tells who holds it: by that the other worker knows us.
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
