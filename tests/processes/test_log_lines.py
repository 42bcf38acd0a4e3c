"""What the log tells of each use of a cache, and what it never tells."""

import base64
import secrets
import socket

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError
from tlsmgr.messages import CacheType, Verb
from tlsmgr.processes.kinds import KINDS
from tlsmgr.wire import rpc

_PART = 12


def _use(client: Client, cache_type: CacheType, session: bytes) -> None:
    client.update(cache_type, b"AB12&s=smtp", session)
    client.lookup(cache_type, b"AB12&s=smtp")
    client.delete(cache_type, b"AB12&s=smtp")


def test_loglevel_2_tells_each_use(sandbox: Sandbox) -> None:
    """From log level 2 on, Postfix's three lines tell who was looked up, put, deleted."""
    sandbox.configure("smtpd_tls_loglevel = 2")
    worker = sandbox.start("cache-server")
    with sandbox.client() as client:
        _use(client, CacheType.SMTPD, b"x" * 77)
        _use(client, CacheType.SMTP, b"x" * 77)

    said = [line.partition("]: ")[2] for line in worker.log.splitlines() if "session id" in line]

    assert said == [
        "put smtpd session id=AB12&s=smtp [data 77 bytes]",
        "lookup smtpd session id=AB12&s=smtp",
        "delete smtpd session id=AB12&s=smtp",
    ]


def test_a_line_names_instance_process_and_pid(sandbox: Sandbox) -> None:
    """A line begins as Postfix's do, with syslog_name/process_name[pid]."""
    sandbox.configure("syslog_name = postfix-in")
    worker = sandbox.start("prng-server")

    assert f" postfix-in/prng-server[{worker.pid}]: prng-server is ready\n" in worker.log


def test_a_cache_id_cannot_forge_a_line(sandbox: Sandbox) -> None:
    """Control characters of a cache id do not reach the log."""
    sandbox.configure("smtpd_tls_loglevel = 2")
    worker = sandbox.start("cache-server")
    with sandbox.client() as client:
        client.lookup(CacheType.SMTPD, b"x\nfatal: \x1b[2J\xff")

    assert "lookup smtpd session id=x?fatal: ?[2J" in worker.log
    assert not [line for line in worker.log.splitlines() if line.startswith("fatal")]


def _forms(secret: bytes) -> list[bytes]:
    """Return the forms in which a part of a secret could stand in a log."""
    part = secret[:_PART]
    return [
        part,
        part.hex().encode(),
        part.hex().upper().encode(),
        base64.b64encode(part),
        repr(part).encode(),
    ]


def _malformed(sandbox: Sandbox, session: bytes) -> None:
    """Send a session in every wrong way that there is."""
    encoded = base64.b64encode(session)
    prefix = b"request\0update\0cache_type\0"
    lists = (
        prefix + b"nonsense\0cache_id\0x\0session\0" + encoded + b"\0\0",
        prefix + b"smtpd\0cache_id\0x\0session\0" + encoded + b"*\0\0",
        prefix + b"smtpd\0session\0" + encoded + b"\0cache_id\0x\0\0",
        prefix + b"smtpd\0cache_id\0x\0session\0AAAA\0more\0" + encoded + b"\0\0",
    )
    with AttributeClient(sandbox.postfix_socket) as client:
        for each in lists:
            client.send_bytes(each)
            client.reply(Verb.UPDATE)
    calls = (
        ("update", "nonsense", b"x", session),
        ("update", "smtpd", session),
        ("update", "smtpd", b"x", [session]),
        ("unknown", session),
        ("ping", session),
    )
    with sandbox.client() as rpc_client:
        for method, *params in calls:
            with pytest.raises(ProtocolError) as caught:
                rpc_client.call(method, *params)
            assert not [form for form in _forms(session) if form in str(caught.value).encode()]
    for stream in (session, rpc.encode_call(1, "update", ["smtpd", b"x", session])[:-1] + b"\xc1"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as raw:
            raw.connect(str(sandbox.socket("cache-server")))
            raw.sendall(stream)


def _all_logs(workers: list[RunningWorker]) -> bytes:
    return "".join(worker.log for worker in workers).encode("utf-8", "surrogateescape")


def test_no_secret_is_ever_logged(sandbox: Sandbox) -> None:
    """No session, seed or ticket key is in any log at the highest level, nor is one from bad requests."""
    sandbox.configure(*(f"{cache}_tls_loglevel = 4" for cache in ("smtpd", "smtp", "lmtp")))
    workers = [sandbox.start(name) for name in sorted(KINDS)]
    # Letters, so that a log could hold them unescaped.
    session = secrets.token_hex(100).encode()
    seen = [session]
    with sandbox.client() as client, sandbox.client("prng-server") as prng_client:
        for cache_type in CacheType:
            _use(client, cache_type, session)
        seen += [client.seed(64), client.ticket_key() or b"", prng_client.seed(64)]
        prng_client.call("stir", session)
        _malformed(sandbox, session)
        client.call("stats")
    for worker in workers:
        assert worker.stop() == 0

    logs = _all_logs(workers)

    assert b"malformed request" in logs
    assert all(len(secret) >= _PART for secret in seen)
    assert not [form for secret in seen for form in _forms(secret) if form in logs]
