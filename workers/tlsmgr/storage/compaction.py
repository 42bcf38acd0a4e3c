"""Giving all free space of a store back at once, while nobody else has it open."""

import os
from contextlib import closing, suppress
from pathlib import Path

from tlsmgr.errors import StoreBusyError
from tlsmgr.storage.directory import FILE_NAMES, prepare_directory, sole_owner
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.opening import open_database
from tlsmgr.storage.quarantine import boot_identity
from tlsmgr.storage.reading import connect_to_read
from tlsmgr.storage.settings import DATABASE_NAME

# What a compaction that was interrupted leaves; the next one begins by removing it.
_COPY_NAME = f"{DATABASE_NAME}.compact"


def compact(directory: Path, now: float) -> None:
    """Write the database of a store anew, without free pages, and put it in place of the former one.

    It takes the free space of one more database for as long. When it fails, the store is as before.

    Args:
        directory: an absolute path. The caller sees to it that no process has the store open, and
            that none opens it before this returns.
        now: the time of day in seconds since the epoch.

    Raises:
        StoreError: it cannot be done; the message says why.
        StoreBusyError: somebody has it open all the same.
    """
    prepare_directory(directory)
    with store_errors(str(directory), "give its space back"):
        copy = directory / _COPY_NAME
        try:
            with sole_owner(directory):
                _write_copy(directory, copy, now)
                _sync(copy)
                copy.rename(directory / DATABASE_NAME)
                _sync(directory)
        finally:
            with suppress(FileNotFoundError):
                copy.unlink()


def _write_copy(directory: Path, copy: Path, now: float) -> None:
    with suppress(FileNotFoundError):
        copy.unlink()
    boot = boot_identity()
    with closing(
        open_database(directory, checkpoints=True, open_wait=0.0, boot=boot, clock=lambda: now)
    ) as connection:
        # For us alone from here on; what the log holds is in the database when it is closed.
        connection.execute("PRAGMA locking_mode = exclusive").fetchall()
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        connection.execute("VACUUM INTO ?", (str(copy),))
    if any((directory / name).exists() for name in FILE_NAMES if name != DATABASE_NAME):
        raise StoreBusyError(f"session store {directory}: another process has it open; end it and try again")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(directory: Path) -> int:
    """Return how many bytes of a store's database are free pages, by its header.

    Raises:
        StoreError: it cannot be read.
    """
    with (
        store_errors(str(directory), "read its free space"),
        closing(connect_to_read(directory)) as connection,
    ):
        ((pages,),) = connection.execute("PRAGMA freelist_count").fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    return int(pages) * int(size)
