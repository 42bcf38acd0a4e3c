import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.transport.lines import short_directory
from tlsmgr.errors import AddressInUseError, HostError
from tlsmgr.transport.unix_socket import PATH_SIZE_MAX, listen


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a test's socket goes."""
    with short_directory() as directory:
        yield directory / "s"


def _leave_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as former:
        former.bind(str(path))
        former.listen()


def test_a_stale_socket_file_is_replaced(path: Path) -> None:
    """What a killed server left does not keep the next one from starting."""
    _leave_stale(path)
    ours = listen(path, mode=0o600)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    ours.remove()
    assert not path.exists()


def test_a_live_socket_is_never_touched(path: Path) -> None:
    """A second server is refused, and the first one goes on."""
    first = listen(path, mode=0o600)
    before = path.lstat()
    with pytest.raises(AddressInUseError, match="live server"):
        listen(path, mode=0o600)
    assert path.lstat() == before
    first.remove()


def test_a_live_socket_with_a_full_queue_is_live(path: Path) -> None:
    """A server that is too busy to accept is not taken for a dead one."""
    clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(str(path))
        busy.listen(0)
        for client in clients:
            client.settimeout(0)
            client.connect_ex(str(path))
        with pytest.raises(AddressInUseError):
            listen(path, mode=0o600)
        for client in clients:
            client.close()
    assert path.exists()


def test_a_full_queue_keeps_nobody_waiting(path: Path) -> None:
    """Looking who listens takes no time, whatever that server does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy, ExitStack() as stack:
        busy.bind(str(path))
        busy.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            client.settimeout(0)
            client.connect_ex(str(path))
        begun = time.monotonic()
        with pytest.raises(AddressInUseError, match="live server"):
            listen(path, mode=0o600, lock_seconds=0.0)
        assert time.monotonic() - begun < 0.5


def test_a_socket_that_was_just_made_is_left_alone(path: Path) -> None:
    """Its server may be about to listen; who does not want to wait for that is told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        before = path.lstat()
        with pytest.raises(AddressInUseError, match="just made"):
            listen(path, mode=0o600, lock_seconds=0.0)
        assert path.lstat() == before


def test_a_server_between_bind_and_listen_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found alive once it listens, however it was when it was looked at first."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        monkeypatch.setattr(time, "sleep", lambda _: other.listen())
        with pytest.raises(AddressInUseError, match="live server"):
            listen(path, mode=0o600)
        _connect(path)


@pytest.mark.parametrize("change", ["listens", "replaced", "replaced by a file"])
@pytest.mark.parametrize("may_link", [True, False])
def test_what_came_to_life_after_it_was_looked_at_stays(
    path: Path,
    change: str,
    may_link: bool,  # noqa: FBT001 - pytest's way
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers that heed no lock of ours may listen, or replace the file, at any moment."""
    rename = Path.rename
    with ExitStack() as stack:
        former = stack.enter_context(_bound(path))

        def rename_late(source: Path, target: Path) -> Path:
            monkeypatch.setattr(Path, "rename", rename)
            if change == "listens":
                former.listen()
            else:
                source.unlink()
            if change == "replaced":
                stack.enter_context(_bound(source)).listen()
            elif change == "replaced by a file":
                source.write_text("mine")
            return rename(source, target)

        monkeypatch.setattr(Path, "rename", rename_late)
        if not may_link:
            monkeypatch.setattr(Path, "hardlink_to", _refuse_to_link)
        with pytest.raises(AddressInUseError):
            listen(path, mode=0o600)
        assert list(path.parent.iterdir()) == [path]
        if change == "replaced by a file":
            assert path.read_text() == "mine"
        else:
            _connect(path)


def _refuse_to_link(link: Path, target: Path) -> None:
    raise PermissionError(errno.EPERM, f"{link} to {target}")


def _bound(path: Path) -> socket.socket:
    """Return a socket whose file has settled, on which nobody listens."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    os.utime(path, (0, 0))
    return made


def _connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))


def test_a_stale_file_is_replaced_also_where_its_path_has_no_room_for_more(path: Path) -> None:
    """Where it is put for a moment has a path that is no longer than its own."""
    room = PATH_SIZE_MAX - len(os.fsencode(path.parent)) - 1
    for name in ("s", "tlsmgr", "x" * room):
        _bound(path.with_name(name)).close()
        listen(path.with_name(name), mode=0o600).remove()
    assert list(path.parent.iterdir()) == []


def test_a_datagram_socket_is_somebody_elses(path: Path) -> None:
    """A live socket of another type is left alone."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(AddressInUseError):
            listen(path, mode=0o600)
    assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_a_file_that_is_no_socket_is_not_deleted(path: Path, kind: str) -> None:
    """Another program's file stays, also when a link leads to a stale socket."""
    if kind == "file":
        path.write_text("mine")
    elif kind == "directory":
        path.mkdir()
    else:
        _leave_stale(path.with_name("t"))
        path.symlink_to("t")
    before = path.lstat()
    with pytest.raises(AddressInUseError, match="no socket"):
        listen(path, mode=0o600)
    assert path.lstat().st_ino == before.st_ino


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_does_not_depend_on_the_umask(path: Path, mode: int) -> None:
    """The file has exactly the bits asked for, and the umask is as it was."""
    former = os.umask(0o027)
    try:
        ours = listen(path, mode=mode)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.lstat().st_mode) == mode
    ours.remove()


def test_the_mode_holds_from_the_first_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No chmod is made after the bind, so nobody can slip in before it."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("the mode was changed afterwards")

    for name in ("chmod", "fchmod", "lchmod"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    ours = listen(path, mode=0o600)
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    ours.remove()


def test_a_path_may_have_107_bytes_and_no_more(path: Path) -> None:
    """The limit is the kernel's, counted in bytes, and the message names it."""
    room = PATH_SIZE_MAX - len(os.fsencode(path.parent)) - 1
    listen(path.with_name("x" * room), mode=0o600).remove()
    with pytest.raises(HostError, match="107"):
        listen(path.with_name("x" * (room - 1) + "ä"), mode=0o600)


def test_a_missing_directory_is_the_hosts_fault(path: Path) -> None:
    """The error names the path."""
    with pytest.raises(HostError, match="nowhere"):
        listen(path.parent / "nowhere" / "s", mode=0o600)


def test_remove_leaves_what_took_our_place(path: Path) -> None:
    """A file that is not the one we bound stays; ours being gone is no error."""
    ours = listen(path, mode=0o600)
    path.unlink()
    path.write_text("another's")
    ours.remove()
    assert path.read_text() == "another's"
    path.unlink()
    gone = listen(path, mode=0o600)
    path.unlink()
    gone.remove()


def test_remove_unlinks_before_it_closes(path: Path) -> None:
    """While the file exists somebody listens: it is never stale, so nobody replaces it meanwhile."""
    ours = listen(path, mode=0o600)
    duplicate = ours.socket.dup()
    ours.remove()
    assert not path.exists()
    assert ours.socket.fileno() == -1
    duplicate.close()


def test_a_lock_that_another_process_keeps_does_not_hang_the_start(path: Path) -> None:
    """It is waited for a while, then it is an error that says where the lock is."""
    holder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(HostError, match="locked"):
        listen(path, mode=0o600, lock_seconds=0.02)
    os.close(holder)
    listen(path, mode=0o600, lock_seconds=0.0).remove()


def test_a_listening_socket_holds_no_lock(path: Path) -> None:
    """Two servers of one directory, as a worker's two sockets may be, do not wait for each other."""
    first = listen(path, mode=0o600)
    second = listen(path.with_name("t"), mode=0o600, lock_seconds=0.0)
    first.remove()
    second.remove()


def test_remove_finds_the_file_when_its_path_means_something_else(path: Path) -> None:
    """The directory is known by its descriptor: in a chroot jail, or when it was renamed."""
    ours = listen(path, mode=0o600)
    moved = path.parent / "moved"
    elsewhere = path.parent / "d"
    elsewhere.mkdir()
    theirs = listen(elsewhere / "s", mode=0o600)
    elsewhere.rename(moved)
    theirs.remove()
    assert list(moved.iterdir()) == []
    ours.remove()
