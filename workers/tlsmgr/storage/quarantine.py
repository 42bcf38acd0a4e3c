"""Databases that are not to be trusted, and the marks that tell so.

A database is written without waiting for the disk, so it is whole after the death of a process
but need not be after that of the machine. Each process that has one open leaves a mark with the
identity of the machine's present boot (random(4): a new one each time), and takes it away once
all is on the disk: a mark of another boot tells of a machine that went down in between. Who
finds damage leaves another mark. The process that saves moves such a database aside, whole.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tlsmgr.errors import StoreDamagedError, StoreError
from tlsmgr.private_file import write_whole
from tlsmgr.storage.directory import FILE_NAMES, make_file, opened_directory, sole_owner
from tlsmgr.storage.failures import store_errors
from tlsmgr.storage.making import discard_making
from tlsmgr.storage.settings import DATABASE_NAME

_log = logging.getLogger(__name__)

#: Where Linux tells the identity of the present boot.
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# diskcache's check() lets alone what has the database's name in its own.
_DAMAGED_MARK = f"{DATABASE_NAME}.damaged"
_IN_USE_MARKS = {True: f"{DATABASE_NAME}.in-use-saver", False: f"{DATABASE_NAME}.in-use-other"}
_NEW_SUFFIX = ".new"
_KEPT = 3
#: The name of the threads that remove what is not kept.
REMOVAL = "remove-old-stores"
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_SUFFIX = re.compile(r"\.damaged-\d{8}T\d{6}Z(-\d+)?")


def boot_identity(path: Path = BOOT_ID) -> str:
    """Return what differs after each boot; empty where nothing tells it, as in a chroot jail."""
    try:
        return path.read_bytes().decode("ascii").strip()
    except OSError:
        return ""


def mark_in_use(place: int, *, saves: bool, boot: str) -> None:
    """Leave the mark of a process that writes; it is on the disk when this returns.

    Args:
        place: the descriptor of the store's directory.
        saves: whether it is the process that saves; the others share one mark.
        boot: the ``boot_identity``; with an empty one nothing is marked.
    """
    name = _IN_USE_MARKS[saves]
    if boot and _read(name, place) != boot:
        # Whole or not at all: whoever finds a mark takes what is in it for the boot that it is of.
        _write_whole(name + _NEW_SUFFIX, place, boot.encode("ascii"))
        os.rename(name + _NEW_SUFFIX, name, src_dir_fd=place, dst_dir_fd=place)
        os.fsync(place)


def unmark_in_use(place: int, *, saves: bool) -> None:
    """Take the mark away: all that was written is on the disk."""
    with suppress(FileNotFoundError):
        os.unlink(_IN_USE_MARKS[saves], dir_fd=place)


def mark_damaged(place: int) -> None:
    """Have the database moved aside when it is opened next by the process that saves."""
    with suppress(OSError):  # a full or read-only disk: found damaged again by the next one who looks
        make_file(_DAMAGED_MARK, place)


def is_marked_damaged(place: int) -> bool:
    """Tell whether somebody found the database damaged, or moved it aside."""
    with suppress(FileNotFoundError):
        os.stat(_DAMAGED_MARK, dir_fd=place, follow_symlinks=False)
        return True
    return False


def refuse_distrusted(directory: Path, boot: str) -> None:
    """Refuse a database that the marks in its directory tell not to use.

    Raises:
        StoreDamagedError: it was found damaged, or in use when the machine went down.
        StoreError: the directory cannot be read.
    """
    with store_errors(str(directory), "read its marks"), opened_directory(directory) as place:
        if is_marked_damaged(place):
            raise StoreDamagedError(f"session store {directory}: was found damaged")
        # An empty one tells of no boot: a full disk once left such.
        marks = {_read(name, place) for name in _IN_USE_MARKS.values()} - {None, "", boot}
    if boot and marks:
        raise StoreDamagedError(f"session store {directory}: was in use when the machine went down")


def set_aside(directory: Path, now: float, reason: str) -> Path:
    """Move a store's directory to ``DIRECTORY.damaged-TIME``, and tell so in the log.

    Of those, three are kept, this one among them. What lies in one of them that is no part of a store is
    left alone.

    Args:
        directory: the directory, which nobody of this process has open.
        now: seconds since the epoch; the name has it in UTC.
        reason: what is wrong with it, for the log.

    Raises:
        StoreError: it cannot be moved.
    """
    with store_errors(str(directory), "set the damaged database aside"), sole_owner(directory) as place:
        mark_damaged(place)  # for those that have it open
        name = f"{directory.name}.damaged-{time.strftime(_TIME_FORMAT, time.gmtime(now))}"
        target = next(each for each in _names(directory.parent / name) if not os.path.lexists(each))
        directory.rename(target)
    _log.warning("%s; set aside as %s, a new one is begun", reason, target)
    # Freeing a large file takes the better part of a second; nobody has to wait for it.
    doomed = [each for each in _latest_last(directory) if each != target][: 1 - _KEPT]
    threading.Thread(target=_remove_all, args=(doomed,), name=REMOVAL, daemon=True).start()
    return target


def destroy_set_aside(directory: Path) -> tuple[int, list[str]]:
    """Remove all stores that were set aside for a directory. It may take a while: call it in a thread.

    No symbolic link is followed, and what is no part of a store is left alone, with the directory it is in.

    Returns:
        How many are gone, and why each of the others is not.
    """
    try:
        with store_errors(str(directory), "look for what was set aside"):
            found = _set_aside(directory)
    except StoreError as error:
        return 0, [str(error)]
    reasons = [reason for each in found if (reason := _reason_to_stay(each))]
    return len(found) - len(reasons), reasons


def _remove_all(directories: list[Path]) -> None:
    for old in directories:
        if reason := _reason_to_stay(old):
            _log.warning("%s", reason)


def _reason_to_stay(old: Path) -> str:
    """Remove a store that was set aside; return why that cannot be done, or nothing."""
    try:
        with store_errors(str(old), "remove the directory"), suppress(FileNotFoundError):
            _remove(old)
    except StoreError as error:
        return str(error)
    return ""


def _latest_last(directory: Path) -> list[Path]:
    """Return what was set aside for a directory, or nothing where that cannot be seen."""
    with suppress(OSError):
        return _set_aside(directory)
    return []


def _set_aside(directory: Path) -> list[Path]:
    """Return what was set aside for a directory, the latest last.

    By the file system's time: a name has that of a clock which may have been set back since. That
    of the file system goes back with it, so the one just made is not judged by that either.
    """
    start = len(directory.name)
    found = [
        each
        for each in directory.parent.iterdir()
        if each.name.startswith(directory.name) and _SUFFIX.fullmatch(each.name, start)
    ]
    return sorted(found, key=lambda each: (each.lstat().st_ctime_ns, each.name))


def _remove(old: Path) -> None:
    with opened_directory(old) as place:
        if os.fstat(place).st_uid != os.geteuid():
            raise StoreError(f"session store {old}: belongs to another user; remove it")
        discard_making(place)
        in_use = _IN_USE_MARKS.values()
        for name in (*FILE_NAMES, _DAMAGED_MARK, *in_use, *(mark + _NEW_SUFFIX for mark in in_use)):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=place)
    old.rmdir()


def _names(first: Path) -> Iterator[Path]:
    yield first
    number = 2
    while True:
        yield first.with_name(f"{first.name}-{number}")
        number += 1


def _write_whole(name: str, place: int, content: bytes) -> None:
    """Make a file and have it on the disk, or leave none."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=place)  # what a killed process left
    make_file(name, place)
    try:
        made = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
        try:
            write_whole(made, content)
            os.fsync(made)
        finally:
            os.close(made)
    except OSError:
        os.unlink(name, dir_fd=place)
        raise


def _read(name: str, place: int) -> str | None:
    try:
        mark = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except FileNotFoundError:
        return None
    try:
        return os.read(mark, 100).decode("ascii", "replace").strip()
    finally:
        os.close(mark)
