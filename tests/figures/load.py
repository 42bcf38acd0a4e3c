"""A load on real workers whose hits and misses are known, through both protocols."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError
from tlsmgr.figures.families import families
from tlsmgr.messages import CacheType

#: The samples of a load, by name and labels in one text, as in ``name{label=value}``.
Counted = Mapping[str, float]


def counted(sandbox: Sandbox) -> Counted:
    """Return what all workers say they counted."""
    stats = {}
    for worker in ("cache-server", "prng-server", "expiry-sweeper"):
        with sandbox.client(worker) as client:
            stats[worker] = cast("dict[str, object]", client.call("stats"))
    samples = [sample for family in families(stats) for sample in family.samples]
    return {
        sample.name
        + "{"
        + ",".join(f"{name}={value}" for name, value in sample.labels.items())
        + "}": sample.value
        for sample in samples
    }


def ask_by_rpc(client: Client) -> None:
    """Save two, find one three times, miss two, delete one and one that is not there; be refused twice."""
    for cache_id in (b"one", b"two"):
        assert client.update(CacheType.SMTPD, cache_id, b"session")
    for _ in range(3):
        assert client.lookup(CacheType.SMTPD, b"one") == b"session"
    for _ in range(2):
        assert client.lookup(CacheType.SMTPD, b"none") is None
    assert client.delete(CacheType.SMTPD, b"two")
    assert not client.delete(CacheType.SMTPD, b"two")
    key = client.ticket_key()
    assert key is not None
    for _ in range(4):
        assert client.ticket_key(key[:16]) == key
    assert client.ticket_key(b"?" * 16) is None
    for _ in range(5):
        client.seed(32)
    for method, params in (("sing", ()), ("policy", ("imap",))):
        with pytest.raises(ProtocolError):
            client.call(method, *params)


def send_garbage(path: Path) -> None:
    """Send what is no MessagePack-RPC, which ends the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5.0)
        connection.connect(str(path))
        connection.sendall(b"\xc1")
        assert connection.recv(1) == b""


def ask_as_postfix(path: Path) -> None:
    """Find one, miss one, ask a disabled cache, and send one request that nobody understands."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5.0)
        connection.connect(str(path))
        assert connection.recv(100).startswith(b"protocol")
        for request in (
            b"request\0lookup\0cache_type\0smtpd\0cache_id\0one\0\0",
            b"request\0lookup\0cache_type\0smtpd\0cache_id\0none\0\0",
            b"request\0lookup\0cache_type\0lmtp\0cache_id\0one\0\0",
            b"request\0sing\0\0",
        ):
            connection.sendall(request)
            assert connection.recv(1000).endswith(b"\0\0")
