"""scripts/rolling-restart under handshakes: none fails, and what was issued before resumes afterwards."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from rehearsal.checkout import CHECKOUT
from tests.system.postfix_presence import require_postfix
from tests.system.served_postfix import ServedPostfix, served
from tests.system.starttls import Handshake, Mode, handshake
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def running() -> Iterator[ServedPostfix]:
    """Run a Postfix with one smtpd, chrooted as Debian has it, that our workers serve."""
    require_postfix()
    with served(hooked_up=True, chroot=True, own_parameters={}) as both:
        yield both


def rolling_restart(
    running: ServedPostfix, *options: str, output: IO[str] | int = subprocess.PIPE
) -> "subprocess.CompletedProcess[str]":
    """Run the script on this supervisord, and return its end."""
    return subprocess.run(  # noqa: S603 - our own script
        [
            CHECKOUT / "scripts/rolling-restart",
            "-s",
            running.workers.directory / "supervisord.conf",
            *options,
        ],
        env={"PATH": os.defpath, "MAIL_CONFIG": str(running.postfix.config_directory)},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
        check=False,
    )


class Load:
    """Handshakes, one after the other, each with a session of its own or the same one again."""

    def __init__(self, port: int, mode: Mode, session: Path) -> None:
        self.made: list[Handshake] = []
        self.failed: list[str] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(port, mode, session))

    def _run(self, port: int, mode: Mode, session: Path) -> None:
        while not self._ends.is_set():
            try:
                self.made.append(handshake(port, mode, session))
            except AssertionError as error:
                self.failed.append(str(error))

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Make them while the block runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._ends.set()
            self._thread.join()


def test_nothing_fails_and_everything_issued_before_resumes(running: ServedPostfix, tmp_path: Path) -> None:
    """Sessions by id, tickets of TLS 1.2 and of 1.3, in smtpd processes that began before, and after."""
    port = running.postfix.port
    before = {mode: [tmp_path / f"{mode.name} {number}" for number in range(3)] for mode in Mode}
    for mode, sessions in before.items():
        for session in sessions:
            assert not handshake(port, mode, session).reused
    pids = {name: running.workers.pid(name) for name in WORKERS}

    load = Load(port, Mode.SESSION_ID_1_2, tmp_path / "under load")
    with load.under_way():
        done = rolling_restart(running)

    assert done.returncode == ExitCode.OK, done.stderr + running.evidence()
    assert done.stdout.count("restarted, answers after") == len(WORKERS)
    assert not {running.workers.pid(name) for name in WORKERS} & set(pids.values())
    assert load.failed == []
    assert [one.reused for one in load.made] == [False] + [True] * (len(load.made) - 1), running.evidence()
    for mode, sessions in before.items():
        resumed = [handshake(port, mode, session).reused for session in sessions]
        assert resumed == [True] * len(sessions), (mode, running.evidence())
    running.postfix.postfix("reload")
    for mode in Mode:
        # By processes that know no ticket key yet.
        assert handshake(port, mode, tmp_path / f"{mode.name} 0").reused, (mode, running.evidence())


def test_nothing_is_begun_while_a_worker_is_missing(running: ServedPostfix) -> None:
    """Without prng-server a restart of the cache server would lose the key."""
    pid = running.workers.pid("cache-server")
    with running.workers.stopped("prng-server"):
        done = rolling_restart(running, "-t", "0.5")
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "prng-server.sock" in done.stderr
    assert running.workers.pid("cache-server") == pid


def test_a_reader_that_has_gone_does_not_stop_it_half_way(running: ServedPostfix) -> None:
    """All three are restarted, though nobody can be told."""
    before = {name: running.workers.pid(name) for name in WORKERS}
    with Path("/dev/full").open("w") as full:
        done = rolling_restart(running, output=full)
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    assert not {running.workers.pid(name) for name in WORKERS} & set(before.values())


def test_processes_that_begin_meanwhile_are_served_too(running: ServedPostfix, tmp_path: Path) -> None:
    """One smtpd for each handshake: what it asks first, the policy, it asks once in its life."""
    main_cf = running.postfix.config_directory / "main.cf"
    with main_cf.open("a") as file:
        file.write("max_use = 1\n")
    os.utime(main_cf, times=(1e9, 1e9))  # Postfix waits for a file that is less than a second old
    running.postfix.postfix("reload")
    before = running.postfix.smtpd_pids()

    load = Load(running.postfix.port, Mode.SESSION_ID_1_2, tmp_path / "session")
    with load.under_way():
        done = rolling_restart(running)

    assert done.returncode == ExitCode.OK, done.stderr + running.evidence()
    assert load.failed == []
    assert [one.reused for one in load.made] == [False] + [True] * (len(load.made) - 1), running.evidence()
    processes = running.postfix.smtpd_pids()[len(before) :]
    assert len(set(processes)) == len(processes) > len(WORKERS)


def test_it_tells_what_it_takes() -> None:
    """Help with 0; an option that it does not know with 64."""
    script = CHECKOUT / "scripts/rolling-restart"
    told = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert "exit codes:" in told.stdout
    wrong = subprocess.run([script, "--now"], capture_output=True, check=False)  # noqa: S603 - ours
    assert wrong.returncode == ExitCode.USAGE
