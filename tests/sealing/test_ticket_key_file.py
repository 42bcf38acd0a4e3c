import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import Sealer, TamperedError
from tlsmgr.sealing.ticket_key_file import TicketKeyFile, TicketKeyFileError
from tlsmgr.tickets import TicketKey, TicketKeyRing

NOW = 1_700_000_000
KEYS = SealingKeys(keys=(SealingKey(bytes(range(32))),))
CURRENT = TicketKey.from_material(os.urandom(80), encrypts_until=NOW + 1799)
PREVIOUS = TicketKey.from_material(os.urandom(80), encrypts_until=NOW - 1)
RING = TicketKeyRing(current=CURRENT, previous=PREVIOUS)


def sealer(keys: SealingKeys = KEYS) -> Sealer:
    """Return a process's sealer."""
    return Sealer(keys, os.urandom)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file is to be."""
    return tmp_path / "ticket-keys"


@pytest.fixture
def file(path: Path) -> Iterator[TicketKeyFile]:
    """Give an open file."""
    opened = TicketKeyFile(path)
    opened.open()
    yield opened
    opened.close()


@pytest.mark.parametrize("ring", [RING, TicketKeyRing(current=CURRENT), TicketKeyRing()])
def test_a_restarted_server_goes_on_with_the_keys_that_were_saved(
    file: TicketKeyFile,
    ring: TicketKeyRing,
) -> None:
    """Both of them, with their times; saving again replaces them."""
    file.save(TicketKeyRing(previous=PREVIOUS), sealer())
    file.save(ring, sealer())
    file.sync()
    assert file.load(sealer()) == ring


def test_that_there_is_no_file_is_brought_to_the_disk_as_well(file: TicketKeyFile, path: Path) -> None:
    """A symbolic link in its place is not followed, and said to be one."""
    file.save(RING, sealer())
    file.remove()
    file.sync()
    path.symlink_to("/etc/passwd")
    with pytest.raises(TicketKeyFileError, match="it is a symbolic link; remove it"):
        file.sync()


def test_the_file_is_for_its_owner_alone_and_holds_no_key_in_the_clear(
    file: TicketKeyFile, path: Path
) -> None:
    """Whatever the umask; and nothing else is left in the directory."""
    former = os.umask(0)
    try:
        file.save(RING, sealer())
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208 - names are what is compared
    content = path.read_bytes()
    assert CURRENT.cipher_key not in content
    assert CURRENT.name not in content


def test_without_a_file_there_are_no_keys(file: TicketKeyFile, caplog: pytest.LogCaptureFixture) -> None:
    """The first start is nothing to tell of."""
    assert file.load(sealer()) == TicketKeyRing()
    assert not caplog.records


def test_a_file_from_before_a_reboot_is_ignored_with_one_line_and_replaced(
    file: TicketKeyFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its key is gone."""
    file.save(RING, sealer())
    rebooted = sealer(SealingKeys(keys=(SealingKey(b"n" * 32),)))
    assert file.load(rebooted) == TicketKeyRing()
    assert [record.getMessage() for record in caplog.records] == [
        f"beginning with new ticket keys: {path}: the key that sealed this is gone"
    ]
    file.save(RING, rebooted)
    assert file.load(rebooted) == RING


@pytest.mark.parametrize("place", [0, 20, 30, 60, -1])
def test_a_damaged_file_gives_no_keys(file: TicketKeyFile, path: Path, place: int) -> None:
    """Wherever the damage is, it is told from a key that is gone."""
    file.save(RING, sealer())
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(TamperedError):
        file.load(sealer())


@pytest.mark.parametrize("content", [b"", bytes(200)])
def test_an_empty_file_is_as_good_as_none(file: TicketKeyFile, path: Path, content: bytes) -> None:
    """The machine's death may leave one; whoever wants the keys gone could remove it as well."""
    path.write_bytes(content)
    assert file.load(sealer()) == TicketKeyRing()


def test_a_sealed_session_put_in_its_place_gives_no_keys(file: TicketKeyFile, path: Path) -> None:
    """It was sealed with the right key, for another place."""
    path.write_bytes(sealer().seal(RING.pack(), bound_to=b"a session"))
    with pytest.raises(TamperedError):
        file.load(sealer())


def test_keys_whose_sealing_key_comes_late_are_opened_then(file: TicketKeyFile, path: Path) -> None:
    """Once, whatever the file has become meanwhile; and not when they were to be forgotten."""
    other = SealingKeys(keys=(SealingKey(b"n" * 32),))
    file.save(RING, sealer())
    late = sealer(other)
    file.load(late)
    assert file.load_belated(late) is None
    path.unlink()
    late.use(other.merged(KEYS))
    assert file.load_belated(late) == RING
    assert file.load_belated(late) is None

    file.save(RING, sealer())
    file.load(sealer(other))
    file.forget_belated()
    assert file.load_belated(sealer()) is None


def test_a_forged_file_under_a_key_that_comes_late_is_told_once(file: TicketKeyFile, path: Path) -> None:
    """It was kept in good faith."""
    file.save(RING, sealer())
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    file.load(sealer(SealingKeys(keys=(SealingKey(b"n" * 32),))))
    with pytest.raises(TamperedError):
        file.load_belated(sealer())
    assert file.load_belated(sealer()) is None


def test_a_file_can_be_removed(file: TicketKeyFile, path: Path) -> None:
    """That there is none is no error; what is no file is one."""
    file.save(RING, sealer())
    file.remove()
    file.remove()
    assert not path.exists()
    path.mkdir()
    with pytest.raises(TicketKeyFileError, match="cannot remove"):
        file.remove()


def test_a_link_in_its_place_is_neither_read_nor_written_through(file: TicketKeyFile, path: Path) -> None:
    """Nor is one in the place of the file that is written aside."""
    theirs = path.with_name("theirs")
    theirs.write_bytes(b"theirs")
    path.symlink_to(theirs)
    with pytest.raises(TicketKeyFileError, match="symbolic link; remove it"):
        file.load(sealer())
    path.with_name(path.name + ".new").symlink_to(theirs)
    file.save(RING, sealer())
    assert theirs.read_bytes() == b"theirs"
    assert not path.is_symlink()
    assert file.load(sealer()) == RING


def test_what_a_killed_process_left_half_written_is_not_in_the_way(file: TicketKeyFile, path: Path) -> None:
    """The keys that were saved before are still there, and then the new ones."""
    file.save(TicketKeyRing(current=PREVIOUS), sealer())
    path.with_name(path.name + ".new").write_bytes(b"half")
    assert file.load(sealer()) == TicketKeyRing(current=PREVIOUS)
    file.save(RING, sealer())
    assert file.load(sealer()) == RING


def test_a_fifo_in_its_place_stops_nothing(file: TicketKeyFile, path: Path) -> None:
    """It is refused, not waited for."""
    os.mkfifo(path)
    with pytest.raises(TicketKeyFileError, match="not a regular file"):
        file.load(sealer())


def test_a_directory_that_is_gone_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    """At opening, and when it goes later."""
    gone = tmp_path / "gone"
    file = TicketKeyFile(gone / "ticket-keys")
    with pytest.raises(TicketKeyFileError, match="cannot open the directory of ticket key file"):
        file.open()
    gone.mkdir()
    file.open()
    gone.rmdir()
    with pytest.raises(TicketKeyFileError, match=r"cannot write ticket key file .*/ticket-keys"):
        file.save(RING, sealer())
    file.close()
