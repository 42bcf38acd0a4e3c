"""The pid file: who runs, and that no second one does."""

import os
import resource
from pathlib import Path

import pytest

from tlsmgr.errors import AddressInUseError, HostError
from tlsmgr.processes.pid_file import PidFile


def test_it_holds_the_process_id_as_long_as_it_is_claimed(tmp_path: Path) -> None:
    """Released, it is empty, and still there for the next one to lock."""
    path = tmp_path / "pid"
    path.write_text("123456789 of a killed one")
    claimed = PidFile.claim(path)
    assert path.read_text() == f"{os.getpid()}\n"
    claimed.release()
    assert path.read_text() == ""


def test_a_second_claim_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    """The lock tells, and the first one's number stays."""
    first = PidFile.claim(tmp_path / "pid")
    with pytest.raises(AddressInUseError, match="runs already"):
        PidFile.claim(tmp_path / "pid")
    assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"
    first.release()
    PidFile.claim(tmp_path / "pid").release()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """Somebody else's file is neither emptied nor written."""
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "pid").symlink_to("theirs")
    with pytest.raises(HostError, match="cannot open"):
        PidFile.claim(tmp_path / "pid")
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_full_disk_does_not_keep_a_worker_from_starting(tmp_path: Path) -> None:
    """The lock is what counts; a former worker's number does not stay."""
    path = tmp_path / "pid"
    path.write_text("123456789 of a killed one")
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, former[1]))
    try:
        claimed = PidFile.claim(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert path.read_text() == ""
    with pytest.raises(AddressInUseError):
        PidFile.claim(path)
    claimed.release()


def test_a_file_that_was_removed_is_claimed_anew(tmp_path: Path) -> None:
    """The former lock is kept, for those that have the former file open."""
    path, kept = tmp_path / "pid", tmp_path / "kept"
    claimed = PidFile.claim(path)
    assert claimed.is_in_place()
    for _ in range(20):
        path.rename(kept)
        assert not claimed.is_in_place()
        claimed.claim_anew()
        assert claimed.is_in_place()
    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(AddressInUseError):
        PidFile.claim(kept)
    claimed.release()
    PidFile.claim(kept).release()


def test_a_file_that_another_process_claimed_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    """Ours stays as it was."""
    path = tmp_path / "pid"
    claimed = PidFile.claim(path)
    path.unlink()
    other = PidFile.claim(path)
    with pytest.raises(AddressInUseError):
        claimed.claim_anew()
    claimed.release()
    other.release()


def test_what_the_system_refuses_is_the_hosts_fault(tmp_path: Path) -> None:
    """A full disk, or here a descriptor that cannot be written, is a HostError both ways."""
    device = tmp_path / "pid"
    device.write_text("")
    claimed = PidFile(device, os.open(device, os.O_RDONLY))
    with pytest.raises(HostError, match="cannot empty"):
        claimed.release()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(HostError, match="cannot write"):
        PidFile.claim(tmp_path / "fifo")
