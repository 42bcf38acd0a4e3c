import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sealing import lock_holder
from tlsmgr.errors import HostError
from tlsmgr.sealing.other_worker import OtherWorker

US = os.geteuid()


@contextmanager
def running(pid_file: Path) -> Iterator[int]:
    """Run a process that holds the lock of a pid file; give its process id."""
    command = [sys.executable, lock_holder.__file__, str(pid_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own script
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"locked\n"
            yield process.pid
        finally:
            process.kill()


@contextmanager
def prng_server(run_directory: Path, user_ids: set[int] | None = None) -> Iterator[OtherWorker]:
    """Look at what may be the PRNG server, from the cache server's side."""
    other = OtherWorker(run_directory, "prng-server", {US} if user_ids is None else user_ids)
    try:
        yield other
    finally:
        other.close()


def test_the_process_that_holds_the_lock_is_the_other_worker_until_it_ends(tmp_path: Path) -> None:
    """Nobody else is: not we, not its parent, and not a process of another user."""
    with prng_server(tmp_path) as other, prng_server(tmp_path, {US + 1}) as of_other_user:
        with running(tmp_path / "prng-server.pid") as process_id:
            assert other.is_peer(process_id, US)
            assert not other.is_peer(os.getpid(), US)
            assert not other.is_peer(0, US)
            assert not other.is_peer(process_id, US + 1)
            assert not of_other_user.is_peer(process_id, US)
        assert not other.is_peer(process_id, US)


def test_the_number_in_a_pid_file_makes_nobody_the_other_worker(tmp_path: Path) -> None:
    """Anybody could write it; the lock is what counts."""
    (tmp_path / "prng-server.pid").write_text(f"{os.getpid()}\n")
    with prng_server(tmp_path) as other:
        assert not other.is_peer(os.getpid(), US)


def test_a_third_worker_is_not_the_other_one(tmp_path: Path) -> None:
    """The sweeper has a lock too, on another file."""
    with running(tmp_path / "expiry-sweeper.pid") as process_id, prng_server(tmp_path) as other:
        assert not other.is_peer(process_id, US)


def test_a_link_in_place_of_the_pid_file_is_not_followed(tmp_path: Path) -> None:
    """Somebody who holds the lock of a file of theirs is nobody."""
    with running(tmp_path / "theirs") as process_id, prng_server(tmp_path) as other:
        (tmp_path / "prng-server.pid").symlink_to("theirs")
        assert not other.is_peer(process_id, US)


def test_a_run_directory_that_is_made_again_is_followed(tmp_path: Path) -> None:
    """Until it is there, the lock in the former one counts; from inside of a jail none is looked for."""
    run, former = tmp_path / "run", tmp_path / "former"
    run.mkdir()
    with prng_server(run) as other, prng_server(run) as jailed, running(run / "prng-server.pid") as first:
        jailed.enter_jail()
        run.rename(former)
        assert other.is_peer(first, US)
        run.mkdir()
        assert not other.is_peer(first, US)
        with running(run / "prng-server.pid") as second:
            assert other.is_peer(second, US)
            assert jailed.is_peer(first, US)


def test_after_closing_nobody_is_the_other_worker(tmp_path: Path) -> None:
    """And closing twice does no harm."""
    with running(tmp_path / "prng-server.pid") as process_id, prng_server(tmp_path) as other:
        other.close()
        assert not other.is_peer(process_id, US)


def test_without_a_run_directory_there_is_an_error(tmp_path: Path) -> None:
    """A worker makes it before it looks for others."""
    with pytest.raises(HostError, match="cannot open"):
        OtherWorker(tmp_path / "none", "prng-server", {US})
