"""The pid file of a worker: says who runs, and that no second one does."""

import errno
import fcntl
import logging
import os
from pathlib import Path
from typing import Self

from tlsmgr.errors import AddressInUseError, HostError

_log = logging.getLogger(__name__)

# Of files that were removed; each holds a descriptor.
_FORMER_MAX = 8
# A disk that takes no byte more: the lock, which is what counts, needs none.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class PidFile:
    """A file that holds the process id, and a lock for as long as the process lives.

    The lock, not the number, tells whether a worker runs: it ends with the process
    however that ends, so nothing stale can stand in the way.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._former: list[int] = []

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Lock the file at ``path``, making it if need be, and write our process id.

        On a full disk the file stays empty.

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

    def is_in_place(self) -> bool:
        """Tell whether the file at the path is the one that is claimed.

        Raises:
            HostError: It cannot be looked at.
        """
        ours = os.fstat(self._descriptor)
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise HostError(f"cannot look for pid file {self.path}: {error.strerror}") from error
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def claim_anew(self) -> None:
        """Claim the file that is at the path now, which is not the one that is claimed.

        The former lock is kept as well: who has the former file open sees that we run.

        Raises:
            HostError: As ``claim``; the former lock is kept.
        """
        fresh = self.claim(self.path)
        self._former.append(self._descriptor)
        self._descriptor = fresh._descriptor  # noqa: SLF001 - one of our own class
        while len(self._former) > _FORMER_MAX:
            os.close(self._former.pop(0))

    def release(self) -> None:
        """Empty the file and give up the lock.

        The file stays: to remove it would let two processes lock two files of one name.

        Raises:
            HostError: The file cannot be emptied; the lock is given up.
        """
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise HostError(f"cannot empty pid file {self.path}: {error.strerror}") from error
        finally:
            for descriptor in (self._descriptor, *self._former):
                os.close(descriptor)


def _lock_and_write(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Of this kind the kernel tells who holds it: by that the other worker knows us.
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    number = f"{os.getpid()}\n".encode()
    try:
        os.ftruncate(descriptor, os.pwrite(descriptor, number, 0))
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        os.ftruncate(descriptor, 0)  # a former worker's number
        _log.warning("the pid file stays empty, since it cannot be written: %s", error.strerror)
