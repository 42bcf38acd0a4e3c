"""A store's directory: ours alone, and nothing in it that leads elsewhere.

The rows, triggers and settings of a database are believed, so nobody else may write
there; and sessions are secrets, so nobody else may read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlsmgr.errors import StoreError
from tlsmgr.storage.failures import store_errors

#: diskcache's name for the database; SQLite adds the suffixes of the other files.
DATABASE_NAME = "cache.db"
_FILE_NAMES = tuple(DATABASE_NAME + suffix for suffix in ("", "-wal", "-shm", "-journal"))

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def prepare_directory(path: Path) -> None:
    """Make a store's directory and its empty database, or check those that are there.

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
        with _opened(path) as directory:
            _check_ours(os.fstat(directory), path)
            os.fchmod(directory, _DIRECTORY_MODE)
            _make_database(directory)
            for name in _FILE_NAMES:
                _check_file(directory, name, path / name)


def _check_path(path: Path) -> None:
    if not path.is_absolute():
        raise StoreError(f"session store {path}: the path must be absolute")
    if os.path.expandvars(path) != str(path):
        raise StoreError(f"session store {path}: diskcache would replace the $name in the path; rename it")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    if path.is_symlink():
        raise StoreError(f"session store {path}: is a symbolic link; name the directory itself")
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)


def _make_database(directory: int) -> None:
    # An existing one is not even opened: closing it would drop the locks (POSIX ones, which are
    # the process's) of a connection that this process may have to it.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileExistsError):
        database = os.open(DATABASE_NAME, flags, _FILE_MODE, dir_fd=directory)
        try:
            # The umask had its say; and SQLite gives its other files the mode of this one.
            os.fchmod(database, _FILE_MODE)
        finally:
            os.close(database)


def _check_file(directory: int, name: str, path: Path) -> None:
    # All but the database come and go with the connections of other processes.
    with suppress(FileNotFoundError):
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise StoreError(f"session store {path}: is a link or no plain file; remove it")
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
