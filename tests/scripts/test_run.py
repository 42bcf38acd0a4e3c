"""scripts/run: supervisord and the three workers, started, controlled and stopped."""

import signal
import stat
import subprocess

import pytest

from rehearsal.checkout import CHECKOUT
from rehearsal.waiting import wait_for
from tests.scripts.conftest import Run
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType

pytestmark = pytest.mark.system

_PROGRAMS = ("tlsmgr:cache-server", "tlsmgr:expiry-sweeper", "tlsmgr:prng-server")
_RUNNING = dict.fromkeys(_PROGRAMS, "RUNNING")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything(run: Run, stop: signal.Signals) -> None:
    """It says when and where it is ready and how to control it; a signal ends all with 0."""
    sandbox, started = run()
    started.wait_until_ready()

    wait_for("supervisorctl command", lambda: "supervisorctl -c" in started.output)
    assert str(sandbox.run) in started.output
    assert f"MAIL_CONFIG={sandbox.etc} " in started.output

    assert started.signal(stop) == 0
    assert started.processes() == []
    assert list(sandbox.run.glob("*.sock")) == []
    assert not sandbox.postfix_socket.exists()


def test_supervisorctl_controls_the_group(run: Run) -> None:
    """Status, stop, start, restart and tail work by the group's name, with -c supervisord.conf."""
    sandbox, started = run()
    started.wait_until_ready()
    wait_for("running workers", lambda: started.states() == _RUNNING)
    with sandbox.client() as client:
        assert client.update(CacheType.SMTPD, b"id", b"session")

    assert started.control("stop", "tlsmgr:*").returncode == 0
    assert started.states() == dict.fromkeys(_PROGRAMS, "STOPPED")
    assert started.control("start", "tlsmgr:*").returncode == 0
    assert started.states() == _RUNNING
    assert started.control("restart", "tlsmgr:*").returncode == 0
    assert started.states() == _RUNNING

    # supervisord takes for running what has lived for a second; on a busy machine it does not answer yet.
    wait_for("answer", lambda: sandbox.answers("cache-server"))
    with sandbox.client() as client:
        # Both workers that know the sealing key were gone at the same time.
        assert client.lookup(CacheType.SMTPD, b"id") is None
    log = (started.folder / "supervisord.log").read_text()
    assert log.index("spawned: 'prng-server'") < log.index("spawned: 'cache-server'")
    for program in _PROGRAMS:
        # The worker tells syslog instead, where there is one.
        assert started.control("tail", program).returncode == 0


def test_a_rolling_restart_keeps_the_sessions(run: Run) -> None:
    """Without options it is the one of scripts/run that it restarts."""
    sandbox, started = run()
    started.wait_until_ready()
    wait_for("running workers", lambda: started.states() == _RUNNING)
    with sandbox.client() as client:
        assert client.update(CacheType.SMTPD, b"id", b"session")

    done = subprocess.run(  # noqa: S603 - our own script
        [CHECKOUT / "scripts/rolling-restart"], env=sandbox.environment, capture_output=True, check=False
    )

    assert done.returncode == ExitCode.OK, done.stderr
    assert started.states() == _RUNNING
    with sandbox.client() as client:
        assert client.lookup(CacheType.SMTPD, b"id") == b"session"


def test_only_its_owner_may_control_it(run: Run) -> None:
    """The control socket has mode 0600, in a folder of mode 0700."""
    _, started = run()
    started.wait_until_ready()

    socket = started.config / "supervisor.sock"

    assert socket.is_socket()
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(started.folder.stat().st_mode) == 0o700


def test_two_instances_side_by_side(run: Run) -> None:
    """Two configurations run from one checkout, and do not see each other's sessions."""
    first, first_run = run()
    second, second_run = run()
    first_run.wait_until_ready()
    second_run.wait_until_ready()
    with first.client() as client:
        assert client.update(CacheType.SMTP, b"id", b"session")
    with second.client() as client:
        assert client.lookup(CacheType.SMTP, b"id") is None

    assert first_run.signal(signal.SIGTERM) == 0

    wait_for("running workers", lambda: second_run.states() == _RUNNING)
    assert second.command("ping", "-q").returncode == ExitCode.OK


def test_a_killed_worker_comes_back(run: Run) -> None:
    """What ends unexpectedly is started again."""
    sandbox, started = run()
    started.wait_until_ready()
    wait_for("running workers", lambda: started.states() == _RUNNING)

    started.control("signal", "KILL", "tlsmgr:cache-server")

    wait_for("cache server", lambda: sandbox.command("ping", "-q").returncode == ExitCode.OK)


def test_a_bad_configuration_is_not_tried_again(run: Run) -> None:
    """Workers with a bad configuration are EXITED after one start each, and say why in their logs."""
    sandbox, started = run()
    started.wait_until_ready()
    started.control("stop", "tlsmgr:*")
    supervisord_log = started.folder / "supervisord.log"
    before = supervisord_log.read_text().count("spawned: 'cache-server'")
    sandbox.configure("tls_random_bytes = many")

    started.control("start", "tlsmgr:*")

    wait_for("end of the workers", lambda: started.states() == dict.fromkeys(_PROGRAMS, "EXITED"))
    assert supervisord_log.read_text().count("spawned: 'cache-server'") == before + 1
    assert "exit status 78; expected" in supervisord_log.read_text()
    assert "tls_random_bytes" in started.control("tail", "tlsmgr:cache-server").stdout
