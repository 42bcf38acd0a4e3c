"""A new, empty database, made by diskcache and put in its place whole."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from diskcache import Cache

from tlsmgr.errors import StoreError
from tlsmgr.storage.directory import FILE_NAMES, make_file, sole_owner
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.rawdisk import RawDisk
from tlsmgr.storage.schema import missing_parts
from tlsmgr.storage.settings import DATABASE_NAME, DISKCACHE_SETTINGS

#: Where a database is made, within the directory that it is made for.
MAKING_NAME = f"{DATABASE_NAME}.making"
_MODE = 0o700
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_database(directory: Path) -> None:
    """Make the database of a store that has none.

    diskcache makes it in some thirty transactions, where nobody looks: it is never found in
    part, whoever dies, and nobody has it locked.

    Raises:
        StoreBusyError: another process makes it just now.
        StoreError: it cannot be made, or the installed diskcache makes another schema.
    """
    with store_errors(str(directory), "make the database"), sole_owner(directory) as place:
        if not _exists(DATABASE_NAME, place):
            discard_making(place)
            os.mkdir(MAKING_NAME, _MODE, dir_fd=place)
            os.chmod(MAKING_NAME, _MODE, dir_fd=place)
            _make_in(directory / MAKING_NAME)
            os.rename(f"{MAKING_NAME}/{DATABASE_NAME}", DATABASE_NAME, src_dir_fd=place, dst_dir_fd=place)
            os.rmdir(MAKING_NAME, dir_fd=place)


def discard_making(place: int) -> None:
    """Remove what a process that died left half made in the directory with this descriptor.

    Raises:
        NotADirectoryError: something else is there, such as a symbolic link, which is not followed.
    """
    with suppress(FileNotFoundError):
        making = os.open(MAKING_NAME, _FLAGS, dir_fd=place)
        try:
            for name in FILE_NAMES:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=making)
        finally:
            os.close(making)
        os.rmdir(MAKING_NAME, dir_fd=place)


def _make_in(private: Path) -> None:
    descriptor = os.open(private, _FLAGS)
    try:
        make_file(DATABASE_NAME, descriptor)
    finally:
        os.close(descriptor)
    Cache(str(private), disk=RawDisk, **DISKCACHE_SETTINGS).close()
    with closing(sqlite3.connect(private / DATABASE_NAME)) as connection:
        if missing_parts(connection):
            raise StoreError(f"session store {private.parent}: install diskcache 5.6.3")


def _exists(name: str, directory: int) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=directory, follow_symlinks=False)
        return True
    return False
