"""The ticket keys on disk, sealed, so that a restarted cache server goes on with them."""

import errno
import logging
from pathlib import Path

from tlsmgr.errors import HostError
from tlsmgr.sealing.sealer import OtherKeyError, Sealer, TamperedError, bound
from tlsmgr.storage.small_file import SmallFile
from tlsmgr.tickets import TicketKeyRing

_log = logging.getLogger(__name__)

_PLACE = bound(b"ticket keys")
_SIZE_MAX = 1024


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
        self._file = SmallFile(path, size_max=_SIZE_MAX)
        self._unopened = b""

    def __repr__(self) -> str:
        return f"<TicketKeyFile {self._path}>"

    def open(self) -> None:
        """Open the directory.

        Raises:
            TicketKeyFileError: it cannot be opened.
        """
        try:
            self._file.open()
        except OSError as error:
            raise self._error("open the directory of", error) from error

    def close(self) -> None:
        """Give back the directory; the file stays."""
        self._file.close()

    def load(self, sealer: Sealer) -> TicketKeyRing:
        """Return the keys in the file; none when there is no file, or when it cannot be opened.

        A file that our keys do not open is no error: after a reboot it is the usual case. It is
        ignored with one log line, and replaced by the next ``save``; see also ``load_belated``.

        Raises:
            TicketKeyFileError: the file is not ours, or the system cannot read it.
            TamperedError: it was changed on disk, or is another one.
        """
        try:
            sealed = self._file.read()
        except FileNotFoundError:
            return TicketKeyRing()
        except OSError as error:
            raise self._error("read", error) from error
        if not sealed.strip(b"\0"):  # as the machine's death may leave it; as good as none
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
            self._file.remove()
        except OSError as error:
            raise self._error("remove", error) from error

    def save(self, ring: TicketKeyRing, sealer: Sealer) -> None:
        """Replace the file by one with these keys, or change nothing.

        When this returns, the keys survive the death of this process; see also ``sync``.

        Args:
            ring: the keys.
            sealer: what seals them.

        Raises:
            TicketKeyFileError: the system cannot write it.
        """
        sealed = sealer.seal(ring.pack(), bound_to=_PLACE)
        try:
            self._file.replace(sealed)
        except OSError as error:
            raise self._error("write", error) from error

    def sync(self) -> None:
        """Return when what was saved or removed is so after the machine's death too, as ``SmallFile.sync``.

        It is for nothing where the sealing key does not survive that.

        Raises:
            TicketKeyFileError: the system cannot do it.
        """
        try:
            self._file.sync()
        except OSError as error:
            raise self._error("sync", error) from error

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
