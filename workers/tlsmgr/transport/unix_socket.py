"""Listening UNIX sockets: taking over a stale path, and never anybody else's."""

import errno
import fcntl
import os
import socket
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.errors import AddressInUseError, HostError

# sun_path of struct sockaddr_un, less the null that ends it.
PATH_SIZE_MAX = 107

_BACKLOG = 2048
#: Who makes a socket holds the lock until a file that is there has settled, at most.
_LOCK_SECONDS = 3.0
_PAUSE_SECONDS = 0.01
# A server that has just made its file is not listening yet, and may still set the file's mode, as
# Postfix's master(8) does: within this time from then on it is left alone.
_SETTLED_AFTER_SECONDS = 0.1
# Where a stale file is looked at once more: names that are no longer than its own, or than any.
_ASIDE = ".stale"
_ASIDE_OF_SHORT = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningSocket:
    """A bound, listening, non-blocking socket and the file that names it.

    ``directory`` is a descriptor of the file's directory: the file is found by it also from
    inside of a chroot jail, where its path means something else.
    """

    socket: socket.socket
    path: Path
    mode: int
    identity: tuple[int, int]
    directory: int

    def is_in_place(self) -> bool:
        """Tell whether clients find the socket: its file was not removed or replaced.

        Raises:
            OSError: The file cannot be looked at.
        """
        try:
            found = os.stat(self.path.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if (found.st_dev, found.st_ino) != self.identity:
            return False
        try:
            return os.path.samestat(self.path.parent.stat(), os.fstat(self.directory))
        except FileNotFoundError:
            return True  # as from inside of a chroot jail, from where clients' paths are not seen

    def remove(self) -> None:
        """Close the socket, and remove its file unless somebody else's has taken its place.

        Raises:
            OSError: The file cannot be removed; the socket is closed.
        """
        # The file first: once closed, another server may replace it, even by one of the same inode number.
        try:
            found = os.stat(self.path.name, dir_fd=self.directory, follow_symlinks=False)
            if (found.st_dev, found.st_ino) == self.identity:
                os.unlink(self.path.name, dir_fd=self.directory)
        except FileNotFoundError:
            pass
        finally:
            os.close(self.directory)
            self.socket.close()


def listen(path: Path, *, mode: int, lock_seconds: float = _LOCK_SECONDS) -> ListeningSocket:
    """Return a socket that listens at ``path``, whose file has permission bits ``mode``.

    A socket file that no server listens on any more is replaced.

    Args:
        path: At most 107 bytes.
        mode: Such as 0o600.
        lock_seconds: How long to wait for another process that has the directory locked, and for
            one that has just made the file to listen. Nothing else here waits.

    Raises:
        AddressInUseError: A live server answers there, or is about to, or the file is no socket.
        HostError: The path is too long, another process keeps the directory locked, or the
            operating system refuses.
    """
    if len(os.fsencode(path)) > PATH_SIZE_MAX:
        raise HostError(
            f"cannot listen on {path}: the path of a UNIX socket has at most {PATH_SIZE_MAX} bytes;"
            " choose a shorter directory"
        )
    try:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return _listen_in(directory, path, mode, time.monotonic() + lock_seconds)
        except BaseException:
            os.close(directory)
            raise
    except OSError as error:
        raise HostError(f"cannot listen on {path}: {error.strerror}") from error


def _listen_in(directory: int, path: Path, mode: int, deadline: float) -> ListeningSocket:
    # Two that start together would both find a stale file, and the later one would remove the
    # live socket of the other; so would one that looks between another's bind and listen.
    _lock(directory, path, deadline)
    try:
        _remove_stale(path, deadline)
        return _bind(directory, path, mode)
    finally:
        fcntl.flock(directory, fcntl.LOCK_UN)


def _lock(directory: int, path: Path, deadline: float) -> None:
    # Anybody who may read the directory can lock it: that must not keep us waiting for ever.
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise HostError(
                    f"cannot listen on {path}: another process keeps {path.parent} locked; see lslocks(8)"
                ) from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _remove_stale(path: Path, deadline: float) -> None:
    found = _stale_file(path, deadline)
    if found is None:
        return
    # Others than us heed no lock: what is there now may not be what was looked at, or be live by
    # now. So the file is moved to where nobody makes another, and looked at once more.
    aside = path.with_name(_ASIDE if len(path.name) >= len(_ASIDE) else _ASIDE_OF_SHORT)
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    try:
        is_stale = _identity(aside.lstat()) == found and not _is_live(aside)
    except OSError:
        _put_back(aside, path)
        raise
    if not is_stale:
        _put_back(aside, path)
        raise _live_server(path)
    aside.unlink()


def _stale_file(path: Path, deadline: float) -> tuple[int, int, int] | None:
    """Return the identity of the socket file at ``path`` on which nobody listens, if there is one."""
    while True:
        try:
            found = path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISSOCK(found.st_mode):
            raise AddressInUseError(
                f"cannot listen on {path}: a file that is no socket is there; move it away"
            )
        if _is_live(path):
            raise _live_server(path)
        if not 0 <= time.time() - found.st_mtime < _SETTLED_AFTER_SECONDS:
            return _identity(found)
        if time.monotonic() >= deadline:
            raise AddressInUseError(f"cannot listen on {path}: another server has just made a socket there")
        time.sleep(_PAUSE_SECONDS)


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    # The time too: a new file may have its predecessor's inode number.
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _put_back(aside: Path, path: Path) -> None:
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        pass  # a newer one is there, whose server removed this one, or would have
    except PermissionError:
        # The kernel lets none but the owner link to a socket (fs.protected_hardlinks).
        aside.rename(path)
        return
    aside.unlink()


def _live_server(path: Path) -> AddressInUseError:
    return AddressInUseError(f"cannot listen on {path}: a live server answers there; stop that one first")


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Connecting to a UNIX socket is done, or refused, at once; where it is not, the queue is full.
        probe.setblocking(False)  # noqa: FBT003 - socket's own signature
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:
            # A full backlog: somebody listens, however busy.
            return True
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                # Somebody's, though not of streams.
                return True
            raise
    return True


def _bind(directory: int, path: Path, mode: int) -> ListeningSocket:
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
    return ListeningSocket(
        socket=listener, path=path, mode=mode, identity=(found.st_dev, found.st_ino), directory=directory
    )
