"""A small file that is read whole and replaced whole; for its owner alone, unless another mode is given."""

import errno
import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from tlsmgr.private_file import write_whole

_CLOSED = -1
_NEW_SUFFIX = ".new"
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SmallFile:
    """The file at a path; one process at a time writes it. No symbolic link is followed.

    Holds its directory open, so that it works on after a chroot. All methods raise OSError.

    Args:
        path: absolute, in a directory of the user that this process runs as.
        size_max: bytes that are read at most.
        mode: permission bits of what is written, whatever the umask.
        owners: users whose file is read, besides the one that this process runs as.
    """

    def __init__(self, path: Path, *, size_max: int, mode: int = 0o600, owners: Collection[int] = ()) -> None:
        self.path = path
        self._owners = owners
        self._size_max = size_max
        self._mode = mode
        self._directory = _CLOSED

    def open(self) -> None:
        """Open the directory."""
        self.close()
        self._directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Give back the directory; the file stays."""
        if self._directory != _CLOSED:
            os.close(self._directory)
            self._directory = _CLOSED

    def read(self) -> bytes:
        """Return what is in it, which must be a plain file of this user or of another owner."""
        descriptor = os.open(self.path.name, _READ_FLAGS, dir_fd=self._directory)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid not in {os.geteuid(), *self._owners}:
                raise PermissionError(errno.EPERM, "not a regular file of this user")
            return os.read(descriptor, self._size_max)
        finally:
            os.close(descriptor)

    def replace(self, content: bytes) -> None:
        """Replace the file by one with this content, or change nothing.

        It survives the death of this process; for that of the machine see ``sync``.
        """
        name = self.path.name
        temporary = name + _NEW_SUFFIX
        self._remove(temporary)  # what a killed one left
        descriptor = os.open(temporary, _WRITE_FLAGS, self._mode, dir_fd=self._directory)
        try:
            os.fchmod(descriptor, self._mode)
            write_whole(descriptor, content)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def sync(self) -> None:
        """Return when the file as it is, or that there is none, survives the machine's death.

        It takes as long as the disk likes; may be called in another thread.
        """
        with suppress(FileNotFoundError):
            descriptor = os.open(self.path.name, _READ_FLAGS, dir_fd=self._directory)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        os.fsync(self._directory)

    def remove(self) -> None:
        """Have no file."""
        self._remove(self.path.name)

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._directory)
