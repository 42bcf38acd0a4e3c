"""Which process holds the lock of a file, as the kernel tells (F_GETLK in fcntl(2))."""

import fcntl
import os
import struct
from pathlib import Path
from typing import Final

# Linux's struct flock: type, whence, start, length, process; and padding to its alignment.
_FLOCK: Final = struct.Struct("@hhqqi4x")
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def lock_holder(path: Path | str, *, dir_fd: int | None = None) -> int | None:
    """Return the id of the process that holds a POSIX lock (``fcntl.lockf``) on a file.

    None when nobody does, or there is no such file, or a symbolic link in its place. This process
    must hold none on the same file: looking would end it.

    Args:
        path: the file's.
        dir_fd: the directory that a relative path begins at; by default the current one.
    """
    try:
        descriptor = os.open(path, _FLAGS, dir_fd=dir_fd)
    except OSError:
        return None  # no file that a worker made: no worker
    try:
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        lock_type, _, _, _, process_id = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    except OSError:
        return None  # a file system without locks tells of no worker
    finally:
        os.close(descriptor)
    # 0 is a process that this one's PID namespace does not have.
    return process_id if lock_type != fcntl.F_UNLCK and process_id > 0 else None
