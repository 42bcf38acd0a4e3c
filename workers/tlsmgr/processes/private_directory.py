"""A directory for sockets, pid files and locks: for this process's user alone."""

import os
import stat
from pathlib import Path

from tlsmgr.errors import HostError


def make_private_directory(path: Path) -> None:
    """Make a directory with mode 0700, unless it is there.

    Raises:
        HostError: It cannot be made, or what is there is no directory, belongs to another
            user, or may be written by others: who puts a socket there would choose our seeds.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HostError(
            f"cannot make directory {path}: {error.strerror}; it belongs into a directory of $mail_owner,"
            " and is for root and $mail_owner alone"
        ) from error
    check_private(path)


def check_private(path: Path) -> None:
    """Refuse a directory that is not ours alone.

    Raises:
        HostError: As ``make_private_directory``.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise HostError(f"cannot use directory {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise HostError(f"{path} is no directory; move it away")
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HostError(f"{path} must belong to $mail_owner, and nobody else may write to it; see chmod(1)")
