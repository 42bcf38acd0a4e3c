"""The way to a directory for root, who is not to be led anywhere by somebody else's symbolic link."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STEP: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS_MAX: Final = 40  # as many as Linux follows, path_resolution(7)
_ROOT: Final = 0


def open_directory(path: Path, *, owner: int) -> int:
    """Open the directory in which a file of ``owner``'s is, or is to be.

    Root comes to a directory that is not ``owner``'s own by no symbolic link but root's: whoever
    may make links on the way could else have a file put where only root may put one.

    Raises:
        OSError: there is none, or the way is none for root.
    """
    opened = os.open(path, _DIRECTORY)
    if os.geteuid() != _ROOT or _ROOT != owner == os.fstat(opened).st_uid:
        return opened
    os.close(opened)
    return _opened_by_roots_links(path)


def _opened_by_roots_links(path: Path) -> int:
    here = os.open(path.anchor, _STEP)
    ahead, links = [*reversed(path.parts[1:])], 0
    try:
        while ahead:
            target, here = _step(here, ahead.pop())
            links += bool(target)
            if links > _LINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            ahead += reversed(target)
        return os.open(".", _DIRECTORY, dir_fd=here)
    finally:
        os.close(here)


def _step(here: int, name: str) -> tuple[tuple[str, ...], int]:
    """Go on to ``name``, and close ``here``; or stay, and return the parts of the link that is there."""
    there = os.open(name, _STEP, dir_fd=here)
    found = os.fstat(there)
    if not stat.S_ISLNK(found.st_mode):
        os.close(here)
        return (), there
    try:
        if found.st_uid != _ROOT:
            raise OSError(errno.ELOOP, "the symbolic link of another user leads there")
        return Path(os.readlink("", dir_fd=there)).parts, here
    finally:
        os.close(there)
