import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.prng.exchange import FRESH, OLD, update
from tlsmgr.errors import HostError
from tlsmgr.prng.exchange_file import ExchangeFile, ExchangeFileBusyError, ExchangeFileError
from tlsmgr.prng.pool import Pool


def mode(path: Path) -> int:
    """Return the permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("durable", [False, True])
def test_what_was_there_is_read_and_fresh_bytes_are_written_in_place(path: Path, *, durable: bool) -> None:
    """The file stays the same one: another program that has it open goes on with it."""
    path.write_bytes(OLD)
    inode = path.stat().st_ino
    assert update(path, durable=durable) == OLD
    assert path.read_bytes() == FRESH
    assert path.stat().st_ino == inode


def test_a_missing_file_is_made(path: Path) -> None:
    """With mode 0600, whatever the umask is, and nothing else is left in the directory."""
    former = os.umask(0)
    try:
        assert update(path) == b""
    finally:
        os.umask(former)
    assert path.read_bytes() == FRESH
    assert mode(path) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_maker_left_is_used(path: Path) -> None:
    """Its half of a file neither stays nor is in the way."""
    path.with_name("prng_exch.new").write_bytes(b"half")
    assert update(path) == b""
    assert path.read_bytes() == FRESH
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("size", [0, 1, 1023])
def test_a_short_file_is_read_and_filled(path: Path, size: int) -> None:
    """As Postfix makes it first, or as a truncation leaves it."""
    path.write_bytes(OLD[:size])
    assert update(path) == OLD[:size]
    assert path.read_bytes() == FRESH


def test_a_longer_file_keeps_its_end(path: Path) -> None:
    """Postfix reads and writes the first 1024 bytes, and so do we."""
    path.write_bytes(OLD + b"end")
    assert update(path) == OLD
    assert path.read_bytes() == FRESH + b"end"


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    """Its mode becomes 0600."""
    path.write_bytes(OLD)
    path.chmod(0o644)
    update(path)
    assert mode(path) == 0o600


def test_a_file_removed_between_updates_is_made_again(path: Path) -> None:
    """Without opening anything anew by hand."""
    with closing(ExchangeFile(path)) as file:
        for _ in range(3):
            file.update(lambda _old: FRESH)
            assert path.read_bytes() == FRESH
            path.unlink()


def test_a_file_removed_while_it_was_locked_is_made_again(path: Path) -> None:
    """The fresh bytes do not go into a file that has no name."""
    path.write_bytes(OLD)
    removed: list[Path] = []

    def remove_then_lock(fd: int, operation: int) -> None:
        if not removed:
            removed.append(path)
            path.unlink()
        fcntl.flock(fd, operation)

    with closing(ExchangeFile(path, lock=remove_then_lock)) as file:
        file.update(lambda _old: FRESH)
    assert path.read_bytes() == FRESH


def test_a_file_that_appears_while_it_is_made_is_not_replaced(path: Path) -> None:
    """Postfix may have just made it: that one is kept, read, and written in place."""
    read: list[bytes] = []

    def appear_then_lock(fd: int, operation: int) -> None:
        if not path.exists():
            path.write_bytes(OLD)
        fcntl.flock(fd, operation)

    def renew(old: bytes) -> bytes:
        read.append(old)
        return FRESH

    with closing(ExchangeFile(path, lock=appear_then_lock)) as file:
        file.update(renew)
    assert read == [OLD]
    assert path.read_bytes() == FRESH


def test_a_file_that_never_stays_is_given_up_for_now(path: Path) -> None:
    """No endless loop: the caller tries again later."""

    def replace_then_lock(fd: int, operation: int) -> None:
        fcntl.flock(fd, operation)
        path.unlink(missing_ok=True)
        path.write_bytes(OLD)

    path.write_bytes(OLD)
    with (
        closing(ExchangeFile(path, lock=replace_then_lock)) as file,
        pytest.raises(ExchangeFileBusyError, match="keeps replacing"),
    ):
        file.update(lambda _old: FRESH)


def plant_link(path: Path) -> None:
    """Put a symbolic link to a precious file there."""
    path.symlink_to(path.with_name("precious"))


def plant_hard_link(path: Path) -> None:
    """Put a second name of a precious file there."""
    path.hardlink_to(path.with_name("precious"))


def plant_fifo(path: Path) -> None:
    """Put a FIFO there."""
    os.mkfifo(path)


def plant_directory(path: Path) -> None:
    """Put a directory there."""
    path.mkdir()


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (plant_link, "symbolic link; remove it"),
        (plant_hard_link, "second name"),
        (plant_fifo, "no regular file"),
        (plant_directory, "Is a directory"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".new"])
def test_a_planted_file_is_not_touched(
    path: Path, plant: Callable[[Path], None], message: str, suffix: str
) -> None:
    """Neither in the file's place nor in that of the one being made; the error says what to do."""
    precious = path.with_name("precious")
    precious.write_bytes(b"data")
    plant(path.with_name(path.name + suffix))
    with pytest.raises(ExchangeFileError, match=message):
        update(path)
    assert precious.read_bytes() == b"data"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    """The error names both users."""
    path.write_bytes(OLD)
    os.chown(path, 12345, -1)
    with pytest.raises(ExchangeFileError, match="belongs to user 12345, not to 0; remove it"):
        update(path)
    assert path.read_bytes() == OLD


def test_a_missing_directory_is_an_error_until_it_is_there(path: Path) -> None:
    """Before the first update or between two: the error is the host's fault, and it heals."""
    with closing(ExchangeFile(path / "prng_exch")) as file:
        for _ in range(2):
            with pytest.raises(ExchangeFileError, match=r"No such file.*check its directory"):
                file.update(lambda _old: FRESH)
            path.mkdir()
            file.update(lambda _old: FRESH)
            assert (path / "prng_exch").read_bytes() == FRESH
            (path / "prng_exch").unlink()
            path.rmdir()
    assert issubclass(ExchangeFileError, HostError)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EIO])
def test_errors_of_the_system_say_what_to_do(path: Path, number: int) -> None:
    """A read-only or full disk, or a broken one, met at any step."""

    def fail(_fd: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    with (
        closing(ExchangeFile(path, lock=fail)) as file,
        pytest.raises(ExchangeFileError, match=f"{os.strerror(number)}; (make|free|check)"),
    ):
        file.update(lambda _old: FRESH)


@pytest.mark.parametrize("size", [0, 1023, 1025])
def test_only_1024_bytes_are_written(path: Path, size: int) -> None:
    """A defect of the caller does not reach the disk."""
    path.write_bytes(OLD)
    with pytest.raises(ValueError, match="holds 1024 bytes"):
        update(path, fresh=bytes(size))
    assert path.read_bytes() == OLD


def test_an_error_of_the_generator_leaves_the_file_and_gives_back_the_lock(path: Path) -> None:
    """The next update finds all as it was."""
    path.write_bytes(OLD)

    def fail(_old: bytes) -> bytes:
        raise HostError("no bytes")

    with closing(ExchangeFile(path)) as file:
        with pytest.raises(HostError, match="no bytes"):
            file.update(fail)
        assert path.read_bytes() == OLD
        file.update(lambda _old: FRESH)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the root directory")
def test_it_works_on_after_a_chroot(path: Path, tmp_path: Path) -> None:
    """Only the directory's descriptor is used, for updating and for making."""
    jail = tmp_path / "jail"
    jail.mkdir()
    file = ExchangeFile(path)
    file.open()
    child = os.fork()
    if child == 0:
        os.chroot(jail)
        os.chdir("/")
        file.update(lambda _old: OLD)
        file.update(lambda old: old[::-1])
        os._exit(0)
    file.close()
    assert os.waitpid(child, 0)[1] == 0
    assert path.read_bytes() == FRESH


def test_two_pools_from_the_same_file_give_different_output(path: Path) -> None:
    """A copied file, or a restored machine, does not make two servers alike."""
    outputs = []
    for _ in range(2):
        pool = Pool(clock=lambda: 0, process=lambda: 1)
        path.write_bytes(OLD)
        pool.stir(update(path))
        outputs.append(pool.generate(1024))
    assert outputs[0] != outputs[1]


def test_one_bit_of_the_file_changes_all_output(path: Path) -> None:
    """With all else alike: the file's bytes are all mixed in."""
    outputs = []
    for old in (OLD, OLD[:-1] + bytes([OLD[-1] ^ 1])):
        path.write_bytes(old)
        pool = Pool(kernel=bytes, clock=lambda: 0, process=lambda: 1)
        pool.stir(update(path))
        outputs.append(pool.generate(1024))
    assert all(outputs[0][i : i + 8] != outputs[1][i : i + 8] for i in range(0, 1024, 8))
