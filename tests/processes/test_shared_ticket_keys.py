"""Ticket keys that whole workers of two hosts have through a Redis server."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rehearsal.redis_server import RedisServer
from rehearsal.sandbox import Sandbox
from rehearsal.sharing import sharing
from rehearsal.waiting import wait_for


@contextmanager
def _host(server: RedisServer) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.configure(*sharing(sandbox, server.url), f"tlsmgr_ticket_key_source = redis:{server.url}")
        sandbox.start("cache-server")
        yield sandbox


def _key(sandbox: Sandbox, name: bytes = b"") -> bytes:
    with sandbox.client() as client:
        key = client.ticket_key(name)
    assert key is not None
    return key


def _cipher_key(packed: bytes) -> bytes:
    return packed[16:48]


def test_hosts_give_out_the_same_key_from_their_start_on(redis_server: RedisServer) -> None:
    """Also one that is restarted, and one that answers while the store is stopped or gone."""
    with _host(redis_server) as one, _host(redis_server) as other:
        key = _key(one)
        assert _cipher_key(_key(other)) == _cipher_key(_key(one, key[:16])) == _cipher_key(key)
        other.workers[0].stop()
        other.start("cache-server")
        assert _key(other)[:16] == key[:16]
        with redis_server.stopped():
            assert _key(other)[:16] == key[:16]
        redis_server.kill()
        assert _key(other)[:16] == key[:16]


def test_a_host_whose_store_is_gone_begins_with_a_key_of_its_own(redis_server: RedisServer) -> None:
    """It is used until its end by this host, and by all from the moment on that the store is there."""
    redis_server.kill()
    with _host(redis_server) as one:
        own = _key(one)
        redis_server.start()
        with _host(redis_server) as other:
            wait_for("one key", lambda: _key(one)[:16] == _key(other)[:16], seconds=40)
            assert _cipher_key(_key(one, own[:16])) == _cipher_key(own)


def test_revoking_on_one_host_revokes_on_the_other_one(redis_server: RedisServer) -> None:
    """As soon as that looks at the store: a reload makes it look."""
    with _host(redis_server) as one, _host(redis_server) as other:
        old = _key(one)[:16]
        done = one.command("revoke")
        assert b"other hosts use them within half a minute" in done.stdout, done.stderr
        new = _key(one)[:16]
        assert new != old
        other.workers[0].signal(signal.SIGHUP)
        wait_for("new key", lambda: _key(other)[:16] == new)
        with other.client() as client:
            assert client.ticket_key(old) is None


@pytest.mark.parametrize("verb", ["keys", "stats", "doctor"])
def test_the_command_tells_where_the_keys_are_from(redis_server: RedisServer, verb: str) -> None:
    """And none of them tells a secret."""
    with _host(redis_server) as sandbox:
        key = _key(sandbox)
        said = sandbox.command(verb).stdout
        assert b"redis" in said
        assert _cipher_key(key).hex().encode() not in said
