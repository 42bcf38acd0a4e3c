"""Faults of processes under all of supervisord.conf, its listener included: who ends is started again."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from rehearsal.altered_checkout import altered_checkout
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from rehearsal.workers import Workers
from tests.system.faults.claims import check_what_is_always_answered, found, save
from tests.system.faults.test_processes import IDS, check_seeds
from tlsmgr.cli.asking import call_for_map
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ServerUnavailableError
from tlsmgr.processes.crash_record import CRASHES

pytestmark = pytest.mark.system

_SOON = {
    "startretries = 5": "startretries = 1",
    "-m tlsmgr.processes.health": "-m tlsmgr.processes.health --answer 3 --restart 3600",
}
_LISTENER = "tlsmgr-health"
_SECONDS = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Workers under a supervisord that gives up soon, and a listener of little patience."""

    sandbox: Sandbox
    workers: Workers

    def pids(self) -> dict[str, int]:
        """Return each worker's process ID."""
        return {name: self.workers.pid(name) for name in WORKERS}

    def await_successor(self, name: str, former: int) -> None:
        """Return when another process answers in a worker's place."""

        def answers() -> bool:
            return self.sandbox.answers(name) and self.workers.pid(name) not in (0, former)

        wait_for(f"successor of {name}", answers, seconds=_SECONDS, evidence=self.workers.logs)

    def await_log(self, text: str) -> None:
        """Return when a log has this in it."""
        wait_for(text, lambda: text in self.workers.logs(), seconds=_SECONDS, evidence=self.workers.logs)

    def await_key_shared(self) -> None:
        """Return when cache-server and prng-server have the sealing key from each other."""
        for name in ("cache-server", "prng-server"):
            wait_for("shared key", lambda: self._has_shared(name), evidence=self.workers.logs)  # noqa: B023 - called here

    def await_settled(self, name: str) -> None:
        """Return when the end of a worker is no failed start any more."""
        state = f"tlsmgr:{name}"
        wait_for("RUNNING", lambda: "RUNNING" in self.workers.status(state), seconds=_SECONDS)

    def _has_shared(self, name: str) -> bool:
        try:
            with self.sandbox.client(name) as client:
                return bool(call_for_map(client, "stats")["sealing"]["key_shared"])
        except ServerUnavailableError:
            return False


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """Run all of supervisord.conf; each test leaves it as it found it."""
    with Sandbox() as sandbox:
        checkout = altered_checkout(sandbox.root / "checkout", _SOON)
        with Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout) as workers:
            yield Host(sandbox=sandbox, workers=workers)


@pytest.fixture
def kept(host: Host) -> Iterator[Host]:
    """See that what was saved before a fault is found after it, and that nothing else is amiss."""
    for name in WORKERS:
        host.await_settled(name)
    wait_for("listener", lambda: "RUNNING" in host.workers.status(_LISTENER), seconds=_SECONDS)
    host.await_key_shared()
    with host.sandbox.client() as client:
        key = client.ticket_key()
    assert all(save(host.sandbox, cache_id) for cache_id in IDS)
    yield host
    assert found(host.sandbox, IDS) == IDS
    check_what_is_always_answered(host.sandbox)
    with host.sandbox.client() as client:
        assert client.ticket_key() == key


@pytest.mark.parametrize("name", WORKERS)
def test_worker_killed_under_supervisord(kept: Host, name: str) -> None:
    """Supervisord starts the next one; the other two are the same processes as before."""
    before = kept.pids()
    os.kill(before[name], signal.SIGKILL)
    kept.await_successor(name, before[name])
    after = kept.pids()
    assert {each for each in WORKERS if before[each] != after[each]} == {name}


@pytest.mark.parametrize("name", WORKERS)
def test_worker_hung_under_supervisord(kept: Host, name: str) -> None:
    """The listener ends it, and the next one serves; seeds and policies are answered meanwhile."""
    before = kept.pids()
    os.kill(before[name], signal.SIGSTOP)
    if name != "cache-server":
        check_seeds(kept.sandbox)
        check_what_is_always_answered(kept.sandbox)
    kept.await_log(f"{name} (process {before[name]}) has not answered for 3 s: ended it")
    kept.await_successor(name, before[name])


@pytest.mark.parametrize("name", WORKERS)
def test_worker_stopped_for_a_moment_under_supervisord(kept: Host, name: str) -> None:
    """Nobody ends it: the same process goes on."""
    before = kept.pids()
    os.kill(before[name], signal.SIGSTOP)
    os.kill(before[name], signal.SIGCONT)
    wait_for("answer", lambda: kept.sandbox.answers(name), evidence=kept.workers.logs)
    assert kept.pids() == before


def test_listener_killed(kept: Host) -> None:
    """Another one watches; no worker is touched."""
    before, listener = kept.pids(), int(kept.workers.control("pid", _LISTENER))
    os.kill(listener, signal.SIGKILL)
    wait_for(
        "listener",
        lambda: int(kept.workers.control("pid", _LISTENER)) not in (0, listener),
        seconds=_SECONDS,
        evidence=kept.workers.logs,
    )
    assert kept.pids() == before


def test_listener_stopped(kept: Host) -> None:
    """Its events wait; a worker that is killed meanwhile is started all the same."""
    before, listener = kept.pids(), int(kept.workers.control("pid", _LISTENER))
    os.kill(listener, signal.SIGSTOP)
    try:
        os.kill(before["expiry-sweeper"], signal.SIGKILL)
        kept.await_successor("expiry-sweeper", before["expiry-sweeper"])
    finally:
        os.kill(listener, signal.SIGCONT)


@pytest.mark.timeout(300)
def test_worker_killed_again_and_again(kept: Host) -> None:
    """However often somebody kills it, it is started: that is no crash of its own."""
    name = "expiry-sweeper"
    for _ in range(CRASHES + 2):
        kept.await_settled(name)
        former = kept.workers.pid(name)
        os.kill(former, signal.SIGKILL)
        kept.await_successor(name, former)
    assert "given up" not in kept.workers.log(name)


@pytest.mark.timeout(300)
def test_worker_that_crashes_a_while_after_each_start(kept: Host) -> None:
    """Ten times in a row, each later than supervisord counts: given up, visibly, and the others go on."""
    name, others = "expiry-sweeper", ("cache-server", "prng-server")
    before = kept.pids()
    for number in range(CRASHES):
        kept.await_settled(name)
        former = kept.workers.pid(name)
        os.kill(former, signal.SIGABRT)
        if number < CRASHES - 1:
            kept.await_successor(name, former)
    # Where a start takes longer than a second it is EXITED, and left as well.
    wait_for("end", lambda: _is_left(kept), seconds=_SECONDS, evidence=kept.workers.logs)
    try:
        assert {each: kept.workers.pid(each) for each in others} == {each: before[each] for each in others}
        assert "Aborted, File" in kept.workers.log(name)
        doctor = kept.workers.command("doctor").stdout
        assert f"worker {name}: GIVEN UP: crashed {CRASHES} times" in doctor
        assert "GIVEN UP" in kept.workers.command("top", "--once").stdout
    finally:
        (kept.sandbox.run / f"{name}.crashes").unlink()
        kept.workers.control("start", f"tlsmgr:{name}")
        kept.workers.await_ready()


def _is_left(host: Host) -> bool:
    done = host.workers.status("tlsmgr:expiry-sweeper")
    return "FATAL" in done or ("EXITED" in done and "exit status 80; expected" in host.workers.logs())


@pytest.mark.timeout(300)
def test_worker_that_fails_at_each_start(kept: Host) -> None:
    """It is left after supervisord's tries; the others go on, and it serves again once that is mended."""
    name, before = "expiry-sweeper", kept.pids()
    kept.sandbox.socket(name).unlink()
    kept.sandbox.socket(name).mkdir()
    os.kill(before[name], signal.SIGKILL)
    try:
        # Where a start takes longer than a second, each is a crash: then it is left after ten of them.
        wait_for("end", lambda: _is_left(kept), seconds=3 * _SECONDS, evidence=kept.workers.logs)
    finally:
        kept.sandbox.socket(name).rmdir()
        (kept.sandbox.run / f"{name}.crashes").unlink()
        kept.workers.control("start", f"tlsmgr:{name}")
        kept.workers.await_ready()
