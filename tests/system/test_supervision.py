"""What supervisord and the workers do when one of them fails: the rest goes on, nothing is in the way."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from rehearsal.altered_checkout import altered_checkout
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from rehearsal.workers import Workers
from tlsmgr.cli.asking import call_for_map
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode, ServerUnavailableError
from tlsmgr.messages import CacheType

pytestmark = pytest.mark.system

#: The promise is 1.5 s, which scripts/torture holds us to; here the machine may be busy with anything.
BACK_SECONDS = 6.0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox."""
    with Sandbox() as made:
        yield made


_IMPATIENT = {
    "startretries = 5": "startretries = 1",
    "-m tlsmgr.processes.health": "-m tlsmgr.processes.health --answer 1 --restart 3600",
}


def impatient_checkout(directory: Path) -> Path:
    """Make a checkout whose supervisord.conf has a worker tried again just once, and soon taken for hung."""
    return altered_checkout(directory, _IMPATIENT)


def test_a_worker_that_fails_at_every_start_is_given_up_visibly(sandbox: Sandbox) -> None:
    """Its state is FATAL, its log says why, and the other two go on."""
    checkout = impatient_checkout(sandbox.root / "checkout")
    with Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout) as workers:
        others = {name: workers.pid(name) for name in ("cache-server", "prng-server")}
        sandbox.socket("expiry-sweeper").unlink()
        sandbox.socket("expiry-sweeper").mkdir()
        os.kill(workers.pid("expiry-sweeper"), signal.SIGKILL)

        given_up = "gave up: expiry-sweeper entered FATAL state"
        wait_for("FATAL state", lambda: given_up in workers.logs(), seconds=30, evidence=workers.logs)
        assert "a file that is no socket is there" in workers.log("expiry-sweeper")
        assert f"exit status {ExitCode.ADDRESS_IN_USE:d}" in workers.logs()
        assert {name: workers.pid(name) for name in others} == others
        workers.await_ready(*others)

        sandbox.socket("expiry-sweeper").rmdir()
        workers.control("start", "tlsmgr:expiry-sweeper")
        workers.await_ready()


def test_a_killed_worker_is_back_soon(sandbox: Sandbox) -> None:
    """Each answers again; the event listener saw it end, and supervisord was woken for the next one."""
    with Workers(sandbox.root / "s", config_directory=sandbox.etc) as workers:
        wait_for("RUNNING", lambda: "tlsmgr-health entered RUNNING" in workers.logs(), evidence=workers.logs)
        for name in WORKERS:
            os.kill(workers.pid(name), signal.SIGKILL)
            killed = time.monotonic()
            wait_for("answer", partial(sandbox.answers, name), seconds=20, evidence=workers.logs)
            assert time.monotonic() - killed < BACK_SECONDS
            assert f"{name} has ended" in workers.logs()


def test_a_stopped_worker_is_restarted_once_in_a_while(sandbox: Sandbox) -> None:
    """One that does not answer is ended, and its successor serves; the same again is put off, and said."""
    checkout = impatient_checkout(sandbox.root / "checkout")
    with Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout) as workers:
        former = {name: workers.pid(name) for name in WORKERS}
        os.kill(former["cache-server"], signal.SIGSTOP)
        wait_for("restart", lambda: not _runs(former["cache-server"]), seconds=30, evidence=workers.logs)
        wait_for("answer", lambda: _is_answered(sandbox), seconds=20, evidence=workers.logs)
        assert "cache-server (process" in workers.logs()

        second = workers.pid("cache-server")
        os.kill(second, signal.SIGSTOP)
        wait_for(
            "patience", lambda: "was restarted a short while ago" in workers.logs(), evidence=workers.logs
        )
        assert _runs(second)
        os.kill(second, signal.SIGCONT)
        wait_for("recovery", lambda: "cache-server answers again" in workers.logs(), evidence=workers.logs)
        # The sweeper may be late by so short a patience, on a busy host; what has the keys is not ended then.
        assert workers.pid("prng-server") == former["prng-server"]


def test_of_two_stopped_workers_with_the_keys_neither_is_restarted_until_one_answers(
    sandbox: Sandbox,
) -> None:
    """Then the other one is, and no session is lost."""
    checkout = impatient_checkout(sandbox.root / "checkout")
    with Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout) as workers:
        with sandbox.client() as client:
            assert client.update(CacheType.SMTP, b"id", b"session")
            wait_for("shared key", lambda: call_for_map(client, "stats")["sealing"]["key_shared"])
        former = {name: workers.pid(name) for name in ("cache-server", "prng-server")}
        for pid in former.values():
            os.kill(pid, signal.SIGSTOP)
        for name in former:
            said = f"nor does {name} answer"
            wait_for(said, lambda: said in workers.logs(), seconds=60, evidence=workers.logs)  # noqa: B023 - called here
        assert all(map(_runs, former.values()))

        os.kill(former["prng-server"], signal.SIGCONT)
        wait_for("restart", lambda: not _runs(former["cache-server"]), seconds=30, evidence=workers.logs)
        wait_for("answer", partial(sandbox.answers, "cache-server"), seconds=20, evidence=workers.logs)
        with sandbox.client() as client:
            assert client.lookup(CacheType.SMTP, b"id") == b"session"
        assert workers.pid("prng-server") == former["prng-server"]


def test_workers_whose_sockets_were_moved_away_are_left_alone(sandbox: Sandbox) -> None:
    """Who cannot be asked is not silent; when they are back, all is as before."""
    checkout = impatient_checkout(sandbox.root / "checkout")
    with Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout) as workers:
        former = {name: workers.pid(name) for name in WORKERS}
        sandbox.run.rename(sandbox.data / "moved")
        for name in WORKERS:
            said = f"{name} cannot be asked whether it is well"
            wait_for(said, lambda: said in workers.logs(), seconds=30, evidence=workers.logs)  # noqa: B023 - called here
        (sandbox.data / "moved").rename(sandbox.run)
        wait_for("answers", lambda: "answers again" in workers.logs(), seconds=30, evidence=workers.logs)
        assert {name: workers.pid(name) for name in WORKERS} == former


def test_the_event_listener_is_apart_from_the_workers(sandbox: Sandbox) -> None:
    """The group is the three workers alone, and they go on without their listener."""
    with Workers(sandbox.root / "s", config_directory=sandbox.etc) as workers:
        assert len(workers.control("status", "tlsmgr:*").splitlines()) == len(WORKERS)
        workers.control("stop", "tlsmgr-health")
        workers.await_ready()


def test_workers_do_not_outlive_their_supervisord(sandbox: Sandbox) -> None:
    """A supervisord that was killed and is started again finds no worker, socket or lock in its way."""
    with Workers(sandbox.root / "s", config_directory=sandbox.etc) as workers:
        former = [workers.pid(name) for name in WORKERS]
        workers.kill_supervisord()
        wait_for("end of the workers", lambda: not any(map(_runs, former)), evidence=workers.logs)
        assert list(sandbox.run.glob("*.sock")) == []
        assert not sandbox.postfix_socket.exists()

        workers.start()

        assert _is_answered(sandbox)
        assert not set(former) & {workers.pid(name) for name in WORKERS}
        assert "runs already" not in workers.logs()


def test_workers_that_were_killed_with_their_supervisord_leave_nothing_in_the_way(sandbox: Sandbox) -> None:
    """As when a container ends: the next start replaces stale sockets, pid files and the control socket."""
    with Workers(sandbox.root / "s", config_directory=sandbox.etc) as workers:
        former = [workers.pid(name) for name in WORKERS]
        # A stopped supervisord starts nothing in the place of what is killed.
        os.kill(int(workers.control("pid")), signal.SIGSTOP)
        for pid in former:
            os.kill(pid, signal.SIGKILL)
        workers.kill_supervisord()
        wait_for("end of the workers", lambda: not any(map(_runs, former)), evidence=workers.logs)
        assert len(list(sandbox.run.glob("*.sock"))) == len(WORKERS)

        workers.start()

        assert _is_answered(sandbox)


def _is_answered(sandbox: Sandbox) -> bool:
    try:
        with sandbox.client() as client:
            return len(client.seed(32)) == 32
    except ServerUnavailableError:
        return False


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
