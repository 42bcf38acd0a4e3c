"""A farm's secret on disk: read only if it is private, and replaced as a whole or not at all."""

import fcntl
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

from tlsmgr.errors import HostError
from tlsmgr.farm.roots_way import open_directory
from tlsmgr.farm.secret import TEXT_SIZE_MAX, FarmSecret, NoFarmSecretError
from tlsmgr.private_file import bad_private_file, read_private_file, write_whole

#: Which file is in the place at a time: two that are equal are one and the same.
Stamp: TypeAlias = tuple[int, int, int]

_CLOSED: Final = -1
_OVERWRITTEN: Final = b"\0"
_READINGS: Final = 5
_NEW_SUFFIX: Final = ".new"
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OVERWRITE_FLAGS: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_LOCK_SECONDS: Final = 2.0
_LOCK_PAUSE_SECONDS: Final = 0.01


class SecretFileError(HostError):
    """The file cannot be replaced now; the message says why and what to do."""


class SecretReplacedError(SecretFileError):
    """Another process has put another secret in the place; nothing was written over it."""


def read_farm_secret(
    path: Path, *, parameter: str, owners: Collection[int], dir_fd: int | None = None
) -> FarmSecret:
    """Return the secret in a file. For a file of root's alone, call this before root's rights are given up.

    Args:
        path: where it is; the file itself must not be a symbolic link.
        parameter: what names the file, for the message.
        owners: the user ids that may own it.
        dir_fd: its directory, held open, for a process in a chroot jail.

    Raises:
        ConfigurationError: there is no such file, others than its owner may use it, somebody else
            owns it, or it holds no secret. The message does not quote what it holds.
    """
    content = _OVERWRITTEN
    for _ in range(_READINGS):
        content = read_private_file(
            path, parameter=parameter, owners=owners, size_max=TEXT_SIZE_MAX + 1, dir_fd=dir_fd
        )
        if content.strip(_OVERWRITTEN):
            break  # else it was opened in the moment before it was replaced, and overwritten
    try:
        return FarmSecret.from_text(content.decode("ascii", "replace"))
    except NoFarmSecretError as error:
        reason = f"holds no secret of a farm: {error}; tlsmgr farm new-secret makes one, or farm export"
        raise bad_private_file(parameter, path, reason) from error


def can_be_replaced_by(path: Path, owner: int) -> bool:
    """Tell whether a file is in a directory of this user's alone: else former keys may stay in it."""
    try:
        found = path.parent.stat()
    except OSError:
        return False
    return found.st_uid == owner and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class SecretFile:
    """The file at a path. Its directory is opened once, and held: it works on after a chroot.

    Its methods may wait for the disk, and for another process that replaces the file.

    Args:
        path: absolute.
        parameter: what names it, for messages.
        owner: the user id that owns the file, read or made.
    """

    def __init__(self, path: Path, *, parameter: str, owner: int) -> None:
        self.path = path
        self._parameter = parameter
        self._owner = owner
        self._directory = _CLOSED

    def __repr__(self) -> str:
        return f"<SecretFile {self.path}>"

    def close(self) -> None:
        """Give back the directory; the file stays."""
        if self._directory != _CLOSED:
            os.close(self._directory)
            self._directory = _CLOSED

    def stamp(self) -> Stamp | None:
        """Tell which file is in the place, without reading it; None when there is none."""
        try:
            return _stamp_of(os.stat(self.path.name, dir_fd=self._directory, follow_symlinks=False))
        except OSError:
            return None

    def read(self) -> FarmSecret:
        """Return the secret; raises what ``read_farm_secret`` and ``replace`` raise."""
        self._open_directory()
        return read_farm_secret(
            self.path, parameter=self._parameter, owners={self._owner}, dir_fd=self._directory
        )

    def replace(self, secret: FarmSecret, *, former: FarmSecret | None = None) -> Stamp:
        """Put a secret in the place of what is there, and overwrite that.

        At any moment, also when this process or the machine dies, there is the one file or the other,
        whole. That no copy of the former one is left on the disk is more than can be promised.

        Args:
            secret: the new one.
            former: what must be there so far; by default it may be anything, or nothing.

        Returns:
            The stamp of the new file, whatever was put in its place since.

        Raises:
            SecretReplacedError: there is another one.
            SecretFileError: the system cannot write it; the former one is still there.
            ConfigurationError: as ``read_farm_secret``, if there is to be a former one.
        """
        self._open_directory()
        try:
            with self._locked():
                if former is not None and self.read() != former:
                    raise SecretReplacedError(f"{self.path} was replaced meanwhile")
                return self._exchange(secret.to_text().encode())
        except OSError as error:
            raise self._error("replace", error) from error

    def _open_directory(self) -> None:
        if self._directory != _CLOSED:
            return
        try:
            self._directory = open_directory(self.path.parent, owner=self._owner)
        except OSError as error:
            raise self._error("find the directory of", error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only one who replaces a file in this directory."""
        gives_up_at = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > gives_up_at:
                    raise SecretFileError(f"{self.path} is being replaced by another process") from error
            time.sleep(_LOCK_PAUSE_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._directory, fcntl.LOCK_UN)

    def _exchange(self, content: bytes) -> Stamp:
        name, new = self.path.name, self.path.name + _NEW_SUFFIX
        self._remove(new)  # what a killed one left
        stamp = self._write(new, content)
        former = self._open_former(name)
        try:
            os.rename(new, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            os.fsync(self._directory)
            if former != _CLOSED:
                _overwrite(former)
        finally:
            if former != _CLOSED:
                os.close(former)
        return stamp

    def _remove(self, name: str) -> None:
        former = self._open_former(name)
        try:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._directory)
            if former != _CLOSED:
                _overwrite(former)
        finally:
            if former != _CLOSED:
                os.close(former)

    def _write(self, name: str, content: bytes) -> Stamp:
        descriptor = os.open(name, _WRITE_FLAGS, 0o600, dir_fd=self._directory)
        try:
            os.fchmod(descriptor, 0o600)
            if os.fstat(descriptor).st_uid != self._owner:
                os.fchown(descriptor, self._owner, -1)
            write_whole(descriptor, content)
            os.fsync(descriptor)
            return _stamp_of(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def _open_former(self, name: str) -> int:
        try:
            return os.open(name, _OVERWRITE_FLAGS, dir_fd=self._directory)
        except OSError:  # there is none, or it is nothing to write over; the rename puts ours in its place
            return _CLOSED

    def _error(self, doing: str, error: OSError) -> SecretFileError:
        return SecretFileError(
            f"cannot {doing} {self.path}: {error.strerror or error};"
            " it belongs, as $mail_owner's, into a directory of $mail_owner's with some space left"
        )


def _stamp_of(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _overwrite(descriptor: int) -> None:
    """Write zeros over a file that has no name any more; one with another name is somebody's copy."""
    with suppress(OSError):
        found = os.fstat(descriptor)
        if found.st_nlink == 0:
            os.pwrite(descriptor, _OVERWRITTEN * found.st_size, 0)
            os.fsync(descriptor)
