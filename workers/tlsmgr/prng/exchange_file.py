"""The PRNG exchange file: 1024 random bytes that outlive the process, in Postfix's format.

Postfix's tlsmgr and this program may take turns at the file, or have it open both: it is
locked exclusively with the system's lock that Postfix uses, read, and written in place in
one write, so that both keep the same file. In place nothing makes it shorter: a process
killed at any moment leaves 1024 old or new bytes. A file that is not there is made under
another name, filled, brought to the disk, and only then given its name.

Durability: 1024 bytes cost 117 us in place and 335 us with fsync on an idle disk, but fsync
on a busy one takes as long as that disk likes, and requests for seeds would wait for it. So
periodic updates leave it to the system, as Postfix does: after a power failure the file may
be some seconds old, which costs nothing, since it is mixed with the kernel's bytes. With
``durable``, for the last update before the end, and for a file that is made, it is called.
"""

import errno
import fcntl
import os
import platform
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tlsmgr.errors import HostError

EXCHANGE_SIZE = 1024

#: The systems whose Postfix is built to lock its own files with flock; elsewhere it is fcntl.
_FLOCK_SYSTEMS = ("Linux", "FreeBSD", "OpenBSD", "NetBSD", "DragonFly", "Darwin")
_ATTEMPTS = 3
_CLOSED = -1
_NEW_SUFFIX = ".new"
# Without O_NONBLOCK a device or a FIFO in the place of the file could stop the program.
_OPEN_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

Renew = Callable[[bytes], bytes]
Lock = Callable[[int, int], object]


class ExchangeFileError(HostError):
    """The exchange file cannot be used now; the message says why and what to do.

    A later try may succeed. Nothing depends on it: the kernel's generator goes on.
    """


class ExchangeFileBusyError(ExchangeFileError):
    """Another process holds the file's lock; the same call may succeed in a moment."""


def lock_style(system: str) -> Lock:
    """Return how Postfix locks its files on a system of that ``platform.system()`` name."""
    return fcntl.flock if system in _FLOCK_SYSTEMS else fcntl.lockf


class ExchangeFile:
    """The exchange file at a path.

    Holds its directory open, not the file: it works on after a chroot, and notices by
    itself when the file was removed or replaced.

    Args:
        path: the value of tls_random_exchange_name.
        lock: takes a descriptor and an operation of the module fcntl.
    """

    def __init__(self, path: Path, *, lock: Lock | None = None) -> None:
        self._path = path
        self._name = path.name
        self._lock = lock or lock_style(platform.system())
        self._directory = _CLOSED

    def __repr__(self) -> str:
        return f"<ExchangeFile {self._path}>"

    def open(self) -> None:
        """Open the directory, which ``update`` does by itself where its path can be reached.

        Raises:
            ExchangeFileError: it cannot be opened.
        """
        try:
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._error(error) from error
        self.close()
        self._directory = directory

    def close(self) -> None:
        """Give back the directory; the file is not touched."""
        if self._directory != _CLOSED:
            os.close(self._directory)
            self._directory = _CLOSED

    def update(self, renew: Renew, *, durable: bool = False) -> None:
        """Read the file, and write what ``renew`` makes of it, under the lock; never wait for it.

        Args:
            renew: is given the up to 1024 bytes of the file, none when there was no file,
                and returns 1024 fresh ones. What it raises goes through, and the file stays.
            durable: do not return before the disk has the bytes.

        Raises:
            ExchangeFileBusyError: another process holds the lock; nothing was done.
            ExchangeFileError: the file is not ours or not regular, or the system failed.
        """
        if self._directory == _CLOSED:
            self.open()
        for _ in range(_ATTEMPTS):
            try:
                if self._exchange(renew, durable=durable) or self._make(renew):
                    return
            except FileNotFoundError as error:
                # The directory was removed: by the next update there may be another one.
                self.close()
                raise self._error(error) from error
            except OSError as error:
                raise self._error(error) from error
        raise ExchangeFileBusyError(f"PRNG exchange file {self._path}: somebody keeps replacing it")

    def _exchange(self, renew: Renew, *, durable: bool) -> bool:
        """Update the file; return False if there is none."""
        try:
            with self._locked(self._name, _OPEN_FLAGS) as fd:
                if not self._is_named(fd, self._name):
                    return False
                self._write(fd, renew(os.pread(fd, EXCHANGE_SIZE, 0)))
                if durable:
                    os.fsync(fd)
        except FileNotFoundError:
            return False
        return True

    def _make(self, renew: Renew) -> bool:
        """Make the file; return False if somebody else has done it meanwhile.

        Whoever holds the lock of the file with the temporary name owns that name. So two
        makers exclude each other, and what a killed one left behind is used, not in the way.
        """
        temporary = self._name + _NEW_SUFFIX
        with self._locked(temporary, _OPEN_FLAGS | os.O_CREAT) as fd:
            if not self._is_named(fd, temporary) or self._exists():
                return False
            self._write(fd, renew(b""))
            os.fsync(fd)
            os.rename(temporary, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            os.fsync(self._directory)
        return True

    @contextmanager
    def _locked(self, name: str, flags: int) -> Iterator[int]:
        """Open and lock a file that is fit to be written; closing it gives the lock back."""
        fd = os.open(name, flags, 0o600, dir_fd=self._directory)
        try:
            self._check(os.fstat(fd), name)
            try:
                self._lock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                # Both are what a system may say of a lock that another holds (fcntl(2)).
                raise ExchangeFileBusyError(
                    f"PRNG exchange file {self._path} is locked by another process"
                ) from error
            os.fchmod(fd, 0o600)
            yield fd
        finally:
            os.close(fd)

    def _check(self, status: os.stat_result, name: str) -> None:
        """Refuse what somebody may have put there to have another file overwritten."""
        fault = ""
        if not stat.S_ISREG(status.st_mode):
            fault = "is no regular file"
        elif status.st_uid != os.geteuid():
            fault = f"belongs to user {status.st_uid}, not to {os.geteuid()}"
        elif status.st_nlink > 1:
            fault = "has a second name (a hard link)"
        if fault:
            raise ExchangeFileError(
                f"PRNG exchange file {self._path.with_name(name)} {fault}; remove it, and it is made again"
            )

    def _is_named(self, fd: int, name: str) -> bool:
        """Return whether the file still has the name by which it was opened before it was locked."""
        try:
            named = os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(fd), named)

    def _exists(self) -> bool:
        try:
            os.stat(self._name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _write(self, fd: int, data: bytes) -> None:
        if len(data) != EXCHANGE_SIZE:
            raise ValueError(f"the exchange file holds {EXCHANGE_SIZE} bytes, not {len(data)}")
        written = os.pwrite(fd, data, 0)
        if written != EXCHANGE_SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _error(self, error: OSError) -> ExchangeFileError:
        advice = {
            # What open says of a symbolic link under O_NOFOLLOW: Linux and most, FreeBSD.
            errno.ELOOP: "it is a symbolic link; remove it, and the file is made again",
            errno.EMLINK: "it is a symbolic link; remove it, and the file is made again",
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space",
            errno.EROFS: "make it writable, or set tls_random_exchange_name to another place",
        }.get(error.errno or 0, "check its directory, its owner and its mode")
        return ExchangeFileError(
            f"cannot update PRNG exchange file {self._path}: {error.strerror or error}; {advice}"
        )
