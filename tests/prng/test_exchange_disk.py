import os
import random
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prng.exchange import FRESH, OLD, read_line, start, update
from tlsmgr.prng.exchange_file import EXCHANGE_SIZE, ExchangeFileError

#: How often a writer and a maker are killed: ``TLSMGR_TEST_KILLS=100`` is the long form.
KILLS = int(os.environ.get("TLSMGR_TEST_KILLS", "20"))


def command(*arguments: str) -> bool:
    """Run a command of the system; return whether it succeeded."""
    return subprocess.run(arguments, check=False, capture_output=True).returncode == 0  # noqa: S603 - ours


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not command("mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "none", str(place)):
        pytest.skip("only root of a machine of its own can mount a file system")
    try:
        yield place
    finally:
        assert command("umount", str(place))


def write_for_ever(path: Path) -> None:
    """Append to a file until the system refuses."""
    with path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def fill(place: Path) -> Path:
    """Leave no space on the disk; return the file that takes it."""
    filler = place / "filler"
    with pytest.raises(OSError, match="No space left"):
        write_for_ever(filler)
    return filler


def test_a_full_disk_leaves_no_short_file_and_heals(small_disk: Path) -> None:
    """A file that is there is updated; one that is not is made when there is space again."""
    path = small_disk / "prng_exch"
    update(path)
    filler = fill(small_disk)
    assert update(path, fresh=OLD) == FRESH
    assert path.read_bytes() == OLD
    path.unlink()
    fill(small_disk)
    with pytest.raises(ExchangeFileError, match="free some space"):
        update(path)
    assert not path.exists()
    filler.unlink()
    assert update(path) == b""
    assert path.read_bytes() == FRESH


def test_a_read_only_disk_is_an_error_until_it_is_writable(small_disk: Path) -> None:
    """And what is there stays."""
    path = small_disk / "prng_exch"
    update(path, fresh=OLD)
    assert command("mount", "-o", "remount,ro", str(small_disk))
    with pytest.raises(ExchangeFileError, match="Read-only file system; make it writable"):
        update(path)
    assert path.read_bytes() == OLD
    assert command("mount", "-o", "remount,rw", str(small_disk))
    assert update(path) == OLD


def test_a_write_that_is_cut_short_makes_no_file(path: Path) -> None:
    """The system may take a part of the bytes only: the file does not get its name."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, former[1]))
    try:
        with pytest.raises(ExchangeFileError, match="free some space"):
            update(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert not path.exists()
    assert update(path) == b""


def kill_a_writer(path: Path, delay: float, *arguments: str) -> None:
    """Start a process that updates the file without end, and kill it after a delay."""
    with start("exchange_writer", str(path), *arguments) as process:
        assert read_line(process) == "ready\n"
        # The wait is what is tested: the process is at any point of its loop afterwards.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        process.kill()


def test_a_killed_writer_never_leaves_a_short_or_empty_file(path: Path) -> None:
    """Kill -9 at random moments of an update, many times (TLSMGR_TEST_KILLS of them)."""
    moments = random.Random(3)  # noqa: S311 - picks moments, keeps no secret
    for _ in range(KILLS):
        kill_a_writer(path, moments.uniform(0.0001, 0.005))
        assert path.stat().st_size == EXCHANGE_SIZE


def test_a_killed_maker_never_leaves_a_short_or_empty_file(path: Path) -> None:
    """There is either no file or a whole one, and the next update works."""
    moments = random.Random(4)  # noqa: S311 - picks moments, keeps no secret
    for _ in range(KILLS):
        kill_a_writer(path, moments.uniform(0.0001, 0.005), "remove")
        assert not path.exists() or path.stat().st_size == EXCHANGE_SIZE
    update(path)
    assert list(path.parent.iterdir()) == [path]
