"""A worker whose configuration is bad: it says where, exits with 78, and is not started in a loop."""

import signal
import time

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode, Status
from tlsmgr.messages import CacheType, PolicyReply, PolicyRequest, Verb
from tlsmgr.processes.kinds import KINDS
from tlsmgr.processes.lifecycle import SUPERVISOR_START_SECONDS

_POLICY = PolicyRequest(cache_type=CacheType.SMTPD)
_BAD_LINES = (
    "tls_random_bytes = many",
    "smtpd_tls_session_cache_timeout = 3 parsecs",
    "tlsmgr_authorized_users = root, no-such-user",
)


def _timeout(client: AttributeClient) -> int:
    reply = client.ask(_POLICY, Verb.POLICY)
    assert isinstance(reply, PolicyReply)
    return reply.timeout


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("line", _BAD_LINES)
def test_names_file_line_and_parameter(sandbox: Sandbox, name: str, line: str) -> None:
    """The last words of a worker tell where to edit, and its exit code is 78."""
    sandbox.configure(line)
    number = sandbox.main_cf.read_text().splitlines().index(line) + 1

    worker = sandbox.launch(name)

    assert worker.wait() == ExitCode.CONFIGURATION
    assert f"{sandbox.main_cf}:{number}: {line.split(maxsplit=1)[0]}" in worker.log
    assert "Traceback" not in worker.log


def test_a_missing_main_cf_is_a_bad_configuration(sandbox: Sandbox) -> None:
    """Without main.cf the exit code is 78 too, and the file is named."""
    sandbox.main_cf.unlink()

    worker = sandbox.launch("cache-server")

    assert worker.wait() == ExitCode.CONFIGURATION
    assert str(sandbox.main_cf) in worker.log


def test_outlives_startsecs_under_supervisor(sandbox: Sandbox) -> None:
    """Supervisord looks at the exit code only of a process that outlived startsecs."""
    sandbox.configure(_BAD_LINES[0])
    started = time.monotonic()

    worker = sandbox.launch("cache-server", SUPERVISOR_ENABLED="1")

    assert worker.wait() == ExitCode.CONFIGURATION
    assert time.monotonic() - started > SUPERVISOR_START_SECONDS


def test_sighup_takes_a_new_timeout_over_on_an_open_connection(sandbox: Sandbox) -> None:
    """SIGHUP reads the configuration again, and drops no connection for it."""
    worker = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        assert _timeout(client) == 3600
        sandbox.configure("smtpd_tls_session_cache_timeout = 2h")

        worker.signal(signal.SIGHUP)

        worker.wait_for_log("configuration read again")
        assert _timeout(client) == 7200


@pytest.mark.parametrize("line", _BAD_LINES)
def test_sighup_with_a_bad_main_cf_changes_nothing(sandbox: Sandbox, line: str) -> None:
    """A bad main.cf is logged, and all of the former one stays in force, in part as in whole."""
    worker = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        sandbox.configure("smtpd_tls_session_cache_timeout = 2h", line)

        worker.signal(signal.SIGHUP)

        worker.wait_for_log("keeping the former configuration")
        assert line.split(maxsplit=1)[0] in worker.log
        assert _timeout(client) == 3600
    assert worker.stop() == ExitCode.OK


@pytest.mark.parametrize("name", sorted(KINDS))
def test_sighup_is_survived_by_each_worker(sandbox: Sandbox, name: str) -> None:
    """Every worker goes on after SIGHUP, with a good configuration and with a bad one."""
    worker = sandbox.start(name)
    worker.signal(signal.SIGHUP)
    worker.wait_for_log("configuration read again")
    sandbox.configure(_BAD_LINES[2])
    worker.signal(signal.SIGHUP)
    worker.wait_for_log("keeping the former configuration")

    with sandbox.client(name) as client:
        result = client.call("ping")

    assert isinstance(result, dict)
    assert result["status"] == Status.OK
    assert result["name"] == name
