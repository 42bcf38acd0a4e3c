"""How a worker stops: everything that was read is answered, and nothing is left behind."""

import signal
import socket
import time
from contextlib import ExitStack

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode, Status
from tlsmgr.messages import (
    CacheType,
    LookupRequest,
    PolicyReply,
    PolicyRequest,
    Request,
    StatusReply,
    UpdateRequest,
    Verb,
)
from tlsmgr.processes.kinds import KINDS
from tlsmgr.processes.lifecycle import DRAIN_SECONDS
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.wire import rpc

_CLIENTS = 8
_UPDATES = 40
_SESSION = b"s" * 100


def _update(cache_id: bytes) -> UpdateRequest:
    return UpdateRequest(cache_type=CacheType.SMTPD, cache_id=cache_id, session=_SESSION)


def _ids(client: int) -> list[bytes]:
    return [b"%d-%d" % (client, number) for number in range(_UPDATES)]


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_leaves_no_socket_behind(sandbox: Sandbox, name: str, stop: signal.Signals) -> None:
    """A worker that is asked to stop exits with 0, and its socket files are gone."""
    worker = sandbox.start(name)

    worker.signal(stop)

    assert worker.wait() == ExitCode.OK
    assert list(sandbox.run.glob("*.sock")) == []
    assert list((sandbox.queue / "private").iterdir()) == []
    assert f"{name} has stopped" in worker.log


def test_a_store_that_does_not_close_well_spoils_nothing(sandbox: Sandbox) -> None:
    """As on a full disk: the other caches are closed as ever, and the exit code is 0."""
    worker = sandbox.start("cache-server")
    with sandbox.client() as client:
        for cache_type in CacheType:
            assert client.update(cache_type, b"id", _SESSION)
    database = sandbox.data / "smtpd_scache" / "cache.db"
    database.rename(database.with_name("away"))

    assert worker.stop() == ExitCode.OK

    assert "smtpd_scache: cannot" in worker.log
    for cache_type in (CacheType.SMTP, CacheType.LMTP):
        files = {path.name for path in (sandbox.data / f"{cache_type.value}_scache").iterdir()}
        assert files == {"cache.db"}, "no log and no mark are left"


def test_answers_what_was_read_in_the_attribute_protocol(sandbox: Sandbox) -> None:
    """Each client of a burst gets all its answers in order, and what was acknowledged is in the store."""
    worker = sandbox.start("cache-server")
    with ExitStack() as stack:
        clients = [stack.enter_context(AttributeClient(sandbox.postfix_socket)) for _ in range(_CLIENTS)]
        for number, client in enumerate(clients):
            # One piece is read at once: its first answer says that all of it was.
            requests: list[Request] = [PolicyRequest(cache_type=CacheType.SMTPD)]
            client.send([*requests, *map(_update, _ids(number))])
        for client in clients:
            assert isinstance(client.reply(Verb.POLICY), PolicyReply)

        worker.signal(signal.SIGTERM)

        for client in clients:
            replies = [client.reply(Verb.UPDATE) for _ in range(_UPDATES)]
            assert replies == [StatusReply(status=Status.OK)] * _UPDATES
            assert client.is_ended()
    assert worker.wait() == ExitCode.OK
    with SessionStore(sandbox.data / "smtpd_scache", checkpoints=False) as store:
        assert store.count() == _CLIENTS * _UPDATES


def test_answers_what_was_read_in_messagepack_rpc(sandbox: Sandbox) -> None:
    """A pipeline of calls that was read is answered in full."""
    worker = sandbox.start("cache-server")
    calls = [rpc.encode_call(0, *rpc.call_of(PolicyRequest(cache_type=CacheType.SMTPD)))]
    calls += [rpc.encode_call(n, *rpc.call_of(_update(b"%d" % n))) for n in range(1, _UPDATES)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(sandbox.socket("cache-server")))
        client.sendall(b"".join(calls))
        reader = rpc.ResponseReader(1 << 20)
        reader.feed(client.recv(65536))

        worker.signal(signal.SIGTERM)

        while data := client.recv(65536):
            reader.feed(data)
    answered: dict[int, object] = {}
    while (response := reader.next_response()) is not None:
        answered[response.message_id] = rpc.result_of(response)["status"]
    assert answered == dict.fromkeys(range(_UPDATES), 0)
    assert worker.wait() == ExitCode.OK


def test_an_idle_client_delays_nothing(sandbox: Sandbox) -> None:
    """A connection that smtpd keeps open is ended at once."""
    worker = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        started = time.monotonic()

        assert worker.stop() == ExitCode.OK

        assert time.monotonic() - started < DRAIN_SECONDS / 2
        assert client.is_ended()


def _leave_answers_unread(client: AttributeClient) -> None:
    """Have more answers coming than the socket's buffers hold, and take none."""
    session = UpdateRequest(cache_type=CacheType.SMTPD, cache_id=b"x", session=b"s" * 40_000)
    client.ask(session, Verb.UPDATE)
    client.send([LookupRequest(cache_type=CacheType.SMTPD, cache_id=b"x")] * 200)
    client.reply(Verb.LOOKUP)


def test_a_second_signal_ends_at_once(sandbox: Sandbox) -> None:
    """While a client that does not read delays the end, a second SIGTERM does not wait for it."""
    worker = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        _leave_answers_unread(client)
        started = time.monotonic()
        worker.signal(signal.SIGTERM)
        # The socket's file goes first, so the signal has been taken when nobody can connect.
        while sandbox.postfix_socket.exists():
            assert time.monotonic() - started < DRAIN_SECONDS

        worker.signal(signal.SIGTERM)

        assert worker.wait() == ExitCode.OK
        assert time.monotonic() - started < DRAIN_SECONDS / 2
        assert "ending at once" in worker.log


def test_a_client_that_does_not_read_holds_the_end_up_for_a_bounded_time(sandbox: Sandbox) -> None:
    """Draining ends within its time, whatever a client does."""
    worker = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        _leave_answers_unread(client)
        started = time.monotonic()

        assert worker.stop() == ExitCode.OK

        assert DRAIN_SECONDS / 2 < time.monotonic() - started < DRAIN_SECONDS + 2
    assert list(sandbox.run.glob("*.sock")) == []
