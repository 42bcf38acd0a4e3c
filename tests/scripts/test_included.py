"""supervisord.conf, included by the supervisord that a host runs anyway."""

import signal
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT, COMMANDS
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.scripts.supervised import Supervised
from tlsmgr.errors import ExitCode

pytestmark = pytest.mark.system

_SYSTEM_WIDE = """
[unix_http_server]
file = {root}/host.sock
[supervisord]
logfile = {root}/host.log
pidfile = {root}/host.pid
childlogdir = {root}
nodaemon = true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{root}/host.sock
[include]
files = {checkout}/supervisord.conf
"""


def test_runs_under_a_system_wide_supervisor() -> None:
    """Included by its absolute path and started from /, it leaves the host's own settings alone."""
    with Sandbox() as sandbox:
        host = sandbox.root / "host.conf"
        host.write_text(_SYSTEM_WIDE.format(root=sandbox.root, checkout=CHECKOUT))
        supervisord = COMMANDS / "supervisord"
        command: list[str | Path] = [supervisord, "-n", "-c", host]
        with Supervised(command, sandbox.environment, sandbox.root / "output") as started:
            wait_for("workers", lambda: sandbox.command("ping", "-q").returncode == ExitCode.OK, seconds=30)
            wait_for("running", lambda: set(started.states(host).values()) == {"RUNNING"})

            assert len(started.states(host)) == 3
            assert (sandbox.root / "host.sock").is_socket()
            assert not started.folder.exists()
            assert started.signal(signal.SIGTERM) == 0
            assert started.processes() == []
