"""Who may listen, and who may connect: stale files, live servers, other programs' files, strangers."""

import os
import signal
import socket
import stat
from contextlib import ExitStack
from pathlib import Path

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType, PolicyRequest, SeedReply, SeedRequest, Verb

_NOBODY = 65534
_NAME = "cache-server"


def test_restarts_after_it_was_killed(sandbox: Sandbox) -> None:
    """The socket files that SIGKILL left behind are replaced."""
    worker = sandbox.start(_NAME)
    worker.signal(signal.SIGKILL)
    worker.wait()
    assert sandbox.postfix_socket.is_socket()
    assert sandbox.socket(_NAME).is_socket()

    again = sandbox.start(_NAME)

    with AttributeClient(sandbox.postfix_socket) as client:
        assert isinstance(client.ask(SeedRequest(size=8), Verb.SEED), SeedReply)
    assert again.stop() == ExitCode.OK


@pytest.mark.parametrize("name", ["cache-server", "prng-server", "expiry-sweeper"])
def test_a_second_worker_leaves_the_first_alone(sandbox: Sandbox, name: str) -> None:
    """The second one says why, exits with 73, and the first one answers at the same socket."""
    first = sandbox.start(name)
    found = sandbox.socket(name).stat().st_ino

    second = sandbox.launch(name)

    assert second.wait() == ExitCode.ADDRESS_IN_USE
    assert "runs already" in second.log
    assert sandbox.socket(name).stat().st_ino == found
    with sandbox.client(name) as client:
        result = client.call("ping")
    assert isinstance(result, dict)
    assert result["pid"] == first.pid


def test_a_live_socket_of_another_program_is_not_touched(sandbox: Sandbox) -> None:
    """Postfix's own tlsmgr, say, keeps its socket; ours exits with 73, and takes its others away."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(sandbox.postfix_socket))
        other.listen()
        found = sandbox.postfix_socket.stat().st_ino

        worker = sandbox.launch(_NAME)

        assert worker.wait() == ExitCode.ADDRESS_IN_USE
        assert f"{sandbox.postfix_socket}: a live server answers there" in worker.log
        assert sandbox.postfix_socket.stat().st_ino == found
    assert not sandbox.socket(_NAME).exists()


@pytest.mark.parametrize("place", ["postfix", "rpc"])
def test_a_file_of_another_program_is_not_deleted(sandbox: Sandbox, place: str) -> None:
    """A file that is no socket stays as it is; the worker says so and exits with 73."""
    path = sandbox.postfix_socket if place == "postfix" else sandbox.socket(_NAME)
    sandbox.run.mkdir(mode=0o700, exist_ok=True)
    path.write_text("precious")

    worker = sandbox.launch(_NAME)

    assert worker.wait() == ExitCode.ADDRESS_IN_USE
    assert str(path) in worker.log
    assert path.read_text() == "precious"
    other = sandbox.socket(_NAME) if place == "postfix" else sandbox.postfix_socket
    assert not other.exists()


def test_modes(sandbox: Sandbox) -> None:
    """Only their owner may use the sockets, read the run directory, or read what is in it."""
    worker = sandbox.start(_NAME)

    modes = {
        path.name: stat.S_IMODE(path.lstat().st_mode)
        for path in (sandbox.postfix_socket, sandbox.run, *sandbox.run.iterdir())
    }

    own = ("cache-server.sock", "cache-server.pid", "cache-server.crashes")
    assert modes == {"tlsmgr": 0o600, "run": 0o700, **dict.fromkeys(own, 0o600)}
    assert (sandbox.run / f"{_NAME}.pid").read_text() == f"{worker.pid}\n"


def _first_bytes_as_nobody(path: Path) -> bytes:
    """Connect as the user nobody, ask something, and return what comes first."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(5)
                client.connect(str(path))
                try:
                    got = client.recv(100)
                except ConnectionResetError:
                    got = b""
            os.write(writing, b"got:" + got)
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to connect as another user")
@pytest.mark.parametrize("place", ["postfix", "rpc"])
def test_a_stranger_is_sent_not_a_byte(sandbox: Sandbox, place: str) -> None:
    """A user who is not among those that may ask is disconnected, even where modes let it in."""
    worker = sandbox.start(_NAME)
    path = sandbox.postfix_socket if place == "postfix" else sandbox.socket(_NAME)
    for directory in (sandbox.queue / "private", sandbox.data, sandbox.run):
        directory.chmod(0o755)
    path.chmod(0o666)

    assert _first_bytes_as_nobody(path) == b"got:"

    worker.wait_for_log(f"refused a connection to {path} from uid {_NOBODY}")
    with AttributeClient(sandbox.postfix_socket) as client:
        client.ask(PolicyRequest(cache_type=CacheType.SMTPD), Verb.POLICY)


def test_a_run_directory_that_others_may_write_to_is_refused(sandbox: Sandbox) -> None:
    """Whoever puts a prng-server.sock there would choose every seed."""
    sandbox.run.mkdir()
    sandbox.run.chmod(0o777)

    worker = sandbox.launch("cache-server")

    assert worker.wait() == ExitCode.HOST
    assert f"{sandbox.run} must belong to $mail_owner" in worker.log


@pytest.mark.parametrize("name", WORKERS)
def test_each_socket_keeps_to_the_limit_of_connections(sandbox: Sandbox, name: str) -> None:
    """At the limit an idle one is closed for each new one; a lower limit holds from SIGHUP on."""
    sandbox.configure("tlsmgr_client_connection_limit = 3")
    worker = sandbox.start(name)
    assert _open_after(sandbox, name, clients=6) == 3
    sandbox.configure("tlsmgr_client_connection_limit = 2")
    worker.signal(signal.SIGHUP)
    worker.wait_for_log("configuration read again")
    assert _open_after(sandbox, name, clients=6) == 2


def _open_after(sandbox: Sandbox, name: str, *, clients: int) -> object:
    """Return how many connections are open when so many have come, who stay."""
    with ExitStack() as stack:
        for _ in range(clients):
            client = stack.enter_context(sandbox.client(name))
            client.call("ping")
        match client.call("stats"):
            case {"connections": {"rpc": {"open": count}}}:
                return count
    pytest.fail("the statistics do not tell of connections")
