"""Listening UNIX sockets: taking over a stale path, and never anybody else's."""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.errors import AddressInUseError, HostError

# sun_path of struct sockaddr_un, less the null that ends it.
PATH_SIZE_MAX = 107

_BACKLOG = 2048
_PROBE_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningSocket:
    """A bound, listening, non-blocking socket and the file that names it."""

    socket: socket.socket
    path: Path
    identity: tuple[int, int]

    def remove(self) -> None:
        """Close the socket, and remove its file unless somebody else's has taken its place.

        Raises:
            OSError: The file cannot be removed; the socket is closed.
        """
        # The file first: once closed, another server may replace it, even by one of the same inode number.
        try:
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self.identity:
                self.path.unlink()
        except FileNotFoundError:
            pass
        finally:
            self.socket.close()


def listen(path: Path, *, mode: int) -> ListeningSocket:
    """Return a socket that listens at ``path``, whose file has permission bits ``mode``.

    A socket file that no server listens on any more is replaced.

    Raises:
        AddressInUseError: A live server answers there, or the file is no socket.
        HostError: The path is too long, or the operating system refuses.
    """
    if len(os.fsencode(path)) > PATH_SIZE_MAX:
        raise HostError(
            f"cannot listen on {path}: the path of a UNIX socket has at most {PATH_SIZE_MAX} bytes;"
            " choose a shorter directory"
        )
    try:
        with _locked(path.parent):
            _remove_stale(path)
            return _bind(path, mode)
    except OSError as error:
        raise HostError(f"cannot listen on {path}: {error.strerror}") from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    # Two that start together would both find a stale file, and the later one would remove the
    # live socket of the other; so would one that looks between another's bind and listen.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise AddressInUseError(f"cannot listen on {path}: a file that is no socket is there; move it away")
    if _is_live(path):
        raise AddressInUseError(f"cannot listen on {path}: a live server answers there; stop that one first")
    path.unlink(missing_ok=True)


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_TIMEOUT_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (BlockingIOError, TimeoutError):
            # A full backlog: somebody listens, however busy.
            return True
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                # Somebody's, though not of streams.
                return True
            raise
    return True


def _bind(path: Path, mode: int) -> ListeningSocket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The umask, not a chmod afterwards: nobody may connect in between.
        former_umask = os.umask(0o777 & ~mode)
        try:
            listener.bind(str(path))
        finally:
            os.umask(former_umask)
        found = path.lstat()
        listener.setblocking(False)  # noqa: FBT003 - socket's own signature
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return ListeningSocket(socket=listener, path=path, identity=(found.st_dev, found.st_ino))
