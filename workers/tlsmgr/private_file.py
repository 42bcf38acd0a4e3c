"""Files with secrets that an administrator made: read only if nobody else can have read or made them."""

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from tlsmgr.errors import ConfigurationError

_OWNER_ONLY: Final = stat.S_IRUSR | stat.S_IWUSR
# Without O_NONBLOCK a FIFO in its place would stop the program.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def read_private_file(
    path: Path, *, parameter: str, owners: Collection[int], size_max: int, dir_fd: int | None = None
) -> bytes:
    """Return the first ``size_max`` bytes of a file. Call this before root's rights are given up.

    Args:
        path: the value of the parameter. The file itself must not be a symbolic link.
        parameter: its name, for the message.
        owners: the user ids that may own the file: root's and ``$mail_owner``'s.
        size_max: what a good file is shorter than.
        dir_fd: its directory, if that is held open; else it is found by the path.

    Raises:
        ConfigurationError: there is no such file, others than its owner may use it, or somebody
            else owns it. The message does not quote what it holds.
    """
    try:
        descriptor = os.open(path if dir_fd is None else path.name, _OPEN_FLAGS, dir_fd=dir_fd)
    except OSError as error:
        raise bad_private_file(parameter, path, _reason(error)) from error
    try:
        if flaw := private_file_flaw(os.fstat(descriptor), owners):
            raise bad_private_file(parameter, path, flaw)
        return os.read(descriptor, size_max)
    except OSError as error:
        raise bad_private_file(parameter, path, _reason(error)) from error
    finally:
        os.close(descriptor)


def private_file_flaw(status: os.stat_result, owners: Collection[int]) -> str:
    """Return what keeps a file from being its owner's alone, as a message has it; empty if nothing does."""
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if status.st_uid not in owners:
        return f"belongs to user {status.st_uid}; expected root or $mail_owner"
    mode = stat.S_IMODE(status.st_mode)
    return f"has mode {mode:04o}; expected 0400 or 0600, for its owner alone" if mode & ~_OWNER_ONLY else ""


def bad_private_file(parameter: str, path: Path, reason: str) -> ConfigurationError:
    """Return the error for a file that cannot be used, or holds something else than expected."""
    return ConfigurationError(f"{parameter}: {path} {reason}")


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return "is a symbolic link; name the file itself"
    return f"cannot be read: {error.strerror}"


def write_whole(descriptor: int, content: bytes) -> None:
    """Write to a file at once; raises OSError also when there is room for a part of ``content`` only."""
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
