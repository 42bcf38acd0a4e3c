"""The ticket keys on disk, sealed, so that a restarted cache server goes on with them."""

import errno
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

from tlsmgr.errors import HostError
from tlsmgr.sealing.sealer import OtherKeyError, Sealer, TamperedError, bound
from tlsmgr.tickets import TicketKeyRing

_log = logging.getLogger(__name__)

_PLACE = bound(b"ticket keys")
_SIZE_MAX = 1024
_CLOSED = -1
_NEW_SUFFIX = ".new"
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TicketKeyFileError(HostError):
    """The file cannot be written or read now; the message says why and what to do.

    Nothing depends on it but the keys after the next restart: those in memory go on.
    """


class TicketKeyFile:
    """The file at a path; one process at a time writes it.

    Holds its directory open, so that it works on after a chroot.

    Args:
        path: absolute, in a directory of the user that this process runs as.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = _CLOSED
        self._unopened = b""

    def __repr__(self) -> str:
        return f"<TicketKeyFile {self._path}>"

    def open(self) -> None:
        """Open the directory.

        Raises:
            TicketKeyFileError: it cannot be opened.
        """
        self.close()
        try:
            self._directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._error("open the directory of", error) from error

    def close(self) -> None:
        """Give back the directory; the file stays."""
        if self._directory != _CLOSED:
            os.close(self._directory)
            self._directory = _CLOSED

    def load(self, sealer: Sealer) -> TicketKeyRing:
        """Return the keys in the file; none when there is no file, or when it cannot be opened.

        A file that our keys do not open is no error: after a reboot it is the usual case. It is
        ignored with one log line, and replaced by the next ``save``; see also ``load_belated``.

        Raises:
            TicketKeyFileError: the file is not ours, or the system cannot read it.
            TamperedError: it was changed on disk, or is another one.
        """
        try:
            sealed = self._read()
        except FileNotFoundError:
            return TicketKeyRing()
        except OSError as error:
            raise self._error("read", error) from error
        if not sealed:  # as the machine's death may leave it; as good as none
            return TicketKeyRing()
        try:
            return _opened(sealed, sealer)
        except OtherKeyError as error:
            self._unopened = sealed
            _log.warning("beginning with new ticket keys: %s: %s", self._path, error)
            return TicketKeyRing()

    def load_belated(self, sealer: Sealer) -> TicketKeyRing | None:
        """Return what ``load`` found and had no key for, once there is one; None until then, and afterwards.

        The other worker, which has the key, may answer late. Cheap: call it as often as you like.

        Raises:
            TamperedError: as ``load``; it is said once.
        """
        if not self._unopened:
            return None
        try:
            ring = _opened(self._unopened, sealer)
        except OtherKeyError:
            return None
        except TamperedError:
            self._unopened = b""
            raise
        self._unopened = b""
        return ring

    def forget_belated(self) -> None:
        """Have ``load_belated`` return nothing any more."""
        self._unopened = b""

    def remove(self) -> None:
        """Have no file; it survives this process, and not the machine.

        Raises:
            TicketKeyFileError: the system cannot remove it.
        """
        try:
            self._remove(self._path.name)
        except OSError as error:
            raise self._error("remove", error) from error

    def save(self, ring: TicketKeyRing, sealer: Sealer, *, durable: bool = True) -> None:
        """Replace the file by one with these keys, or change nothing.

        When this returns, the keys survive the death of this process.

        Args:
            ring: the keys.
            sealer: what seals them.
            durable: do not return before they survive that of the machine as well. It takes as
                long as the disk likes, and is for nothing when the sealing key does not.

        Raises:
            TicketKeyFileError: the system cannot write it.
        """
        sealed = sealer.seal(ring.pack(), bound_to=_PLACE)
        try:
            self._write(sealed, durable=durable)
        except OSError as error:
            raise self._error("write", error) from error

    def _read(self) -> bytes:
        descriptor = os.open(self._path.name, _READ_FLAGS, dir_fd=self._directory)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "not a regular file of this user")
            return os.read(descriptor, _SIZE_MAX)
        finally:
            os.close(descriptor)

    def _write(self, sealed: bytes, *, durable: bool) -> None:
        name = self._path.name
        temporary = name + _NEW_SUFFIX
        self._remove(temporary)  # what a killed one left
        descriptor = os.open(temporary, _WRITE_FLAGS, 0o600, dir_fd=self._directory)
        try:
            os.fchmod(descriptor, 0o600)
            if os.write(descriptor, sealed) != len(sealed):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        if durable:
            os.fsync(self._directory)

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._directory)

    def _error(self, doing: str, error: OSError) -> TicketKeyFileError:
        advice = {
            errno.ELOOP: "it is a symbolic link; remove it",
            errno.EMLINK: "it is a symbolic link; remove it",
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space",
        }.get(error.errno or 0, "check its directory, its owner and its mode")
        return TicketKeyFileError(
            f"cannot {doing} ticket key file {self._path}: {error.strerror or error}; {advice}"
        )


def _opened(sealed: bytes, sealer: Sealer) -> TicketKeyRing:
    try:
        return TicketKeyRing.unpack(sealer.open(sealed, bound_to=_PLACE))
    except ValueError as error:
        raise TamperedError(str(error)) from error
