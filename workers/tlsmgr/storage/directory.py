"""A store's directory: ours alone, and nothing in it that leads elsewhere.

The rows, triggers and settings of a database are believed, so nobody else may write
there; and sessions are secrets, so nobody else may read.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.settings import DATABASE_NAME

#: All names that SQLite gives the parts of a database.
FILE_NAMES = tuple(DATABASE_NAME + suffix for suffix in ("", "-wal", "-shm", "-journal"))

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def prepare_directory(path: Path) -> None:
    """Make a store's directory, or check the one that is there and the database's files in it.

    Afterwards the directory has mode 0700 and the database's files 0600, whatever the umask,
    and all belong to the effective user. The parent directory must exist.

    Raises:
        StoreError: the path is not absolute, is or holds a symbolic link, belongs to another
            user, can be written by others, or cannot be made.
    """
    _check_path(path)
    with store_errors(str(path), "open the directory"):
        with suppress(FileExistsError):
            path.mkdir(mode=_DIRECTORY_MODE)
        with opened_directory(path) as directory:
            _check_ours(os.fstat(directory), path)
            os.fchmod(directory, _DIRECTORY_MODE)
            for name in FILE_NAMES:
                _check_file(directory, name, path / name)


@contextmanager
def opened_directory(path: Path) -> Iterator[int]:
    """Give the descriptor of a store's directory, which is no symbolic link.

    Raises:
        StoreError: it is one.
        OSError: it cannot be opened.
    """
    if path.is_symlink():
        raise StoreError(f"session store {path}: is a symbolic link; name the directory itself")
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)


@contextmanager
def sole_owner(path: Path) -> Iterator[int]:
    """Be the only process that makes or moves a database in the directory; gives its descriptor.

    Raises:
        StoreBusyError: another one is about it.
        StoreError: the directory is a symbolic link.
        OSError: it cannot be opened.
    """
    with opened_directory(path) as directory:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise StoreBusyError(f"session store {path}: another process makes it; try again") from cause
        yield directory


def make_file(name: str, directory: int) -> None:
    """Make an empty file of mode 0600, whatever the umask, if there is none.

    An existing one is not even opened: closing it would drop the locks (POSIX ones, which are
    the process's) of a connection that this process may have to it.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileExistsError):
        made = os.open(name, flags, _FILE_MODE, dir_fd=directory)
        try:
            os.fchmod(made, _FILE_MODE)
        finally:
            os.close(made)


def check_plain(status: os.stat_result, path: Path) -> None:
    """Refuse what is no file of its own; ``status`` is of the path itself, no link followed.

    Raises:
        StoreError: it is something else, or has another name.
    """
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise StoreError(f"session store {path}: is a link or no plain file; remove it")


def _check_path(path: Path) -> None:
    if not path.is_absolute():
        raise StoreError(f"session store {path}: the path must be absolute")
    if os.path.expandvars(path) != str(path):
        raise StoreError(f"session store {path}: diskcache would replace the $name in the path; rename it")


def _check_file(directory: int, name: str, path: Path) -> None:
    # All but the database come and go with the connections of other processes.
    with suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        check_plain(status, path)
        _check_ours(status, path)
        if stat.S_IMODE(status.st_mode) != _FILE_MODE:
            # No link, and in a directory that only we can write: following is safe.
            os.chmod(name, _FILE_MODE, dir_fd=directory)


def _check_ours(status: os.stat_result, path: Path) -> None:
    owner, mode = status.st_uid, stat.S_IMODE(status.st_mode)
    if owner != os.geteuid():
        raise StoreError(f"session store {path}: belongs to user {owner}, not to {os.geteuid()}; chown it")
    if mode & _OTHERS_MAY_WRITE:
        raise StoreError(
            f"session store {path}: mode {mode:04o} lets others write, so its content"
            " cannot be trusted; remove it, and it is made anew"
        )
