"""Sealed at rest: what each end of a worker costs, who is told the key, and what a changed disk is worth."""

import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tlsmgr.client import Client
from tlsmgr.errors import TlsmgrError
from tlsmgr.messages import CacheType

pytestmark = pytest.mark.system

SMTPD, SMTP = CacheType.SMTPD, CacheType.SMTP


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox with the two workers that hold the key."""
    with Sandbox() as made:
        made.start("prng-server")
        made.start("cache-server")
        wait_for("shared key", lambda: _stats(made)["sealing"]["key_shared"])
        yield made


def _stats(sandbox: Sandbox, worker: str = "cache-server") -> Mapping[str, Any]:
    with sandbox.client(worker) as client:
        return cast("Mapping[str, Any]", client.call("stats"))


def _alarms(sandbox: Sandbox, cache_type: CacheType = SMTPD) -> int:
    return int(_stats(sandbox)["caches"][cache_type.value]["tampered"])


def _saved(client: Client, cache_type: CacheType, *ids: bytes) -> None:
    for cache_id in ids:
        assert client.update(cache_type, cache_id, b"session of " + cache_id)


@pytest.mark.parametrize("name", ["cache-server", "prng-server"])
def test_either_worker_killed_costs_nothing(sandbox: Sandbox, name: str) -> None:
    """It takes the key from the other one: sessions and ticket keys are as before."""
    with sandbox.client() as client:
        _saved(client, SMTPD, b"id")
        key = client.ticket_key()
    next(worker for worker in sandbox.workers if worker.name == name).kill()

    sandbox.start(name)

    with sandbox.client() as client:
        assert client.lookup(SMTPD, b"id") == b"session of id"
        assert client.ticket_key() == key
    assert _alarms(sandbox) == 0


def test_a_cache_server_killed_while_the_prng_server_hangs(sandbox: Sandbox) -> None:
    """It serves on with a key of its own, and has what was before again when the other one goes on."""
    prng, cache = sandbox.workers
    with sandbox.client() as client:
        _saved(client, SMTPD, b"before")
        key = client.ticket_key()
        assert key is not None
    prng.signal(signal.SIGSTOP)
    try:
        cache.kill()
        sandbox.start("cache-server")
        with sandbox.client() as client:
            assert client.lookup(SMTPD, b"before") is None
            _saved(client, SMTPD, b"meanwhile")
            assert client.lookup(SMTPD, b"meanwhile") == b"session of meanwhile"
            assert client.ticket_key() != key
            assert client.ticket_key(key[:16]) is None
    finally:
        prng.signal(signal.SIGCONT)
    with sandbox.client() as client:
        wait_for("former session", lambda: client.lookup(SMTPD, b"before") == b"session of before")
        assert client.lookup(SMTPD, b"meanwhile") == b"session of meanwhile"
        assert client.ticket_key(key[:16]) == key
    assert _alarms(sandbox) == 0


def test_both_killed_cost_the_sessions_and_raise_no_alarm(sandbox: Sandbox) -> None:
    """As after a reboot: clean misses, a new ticket key, and everything goes on."""
    with sandbox.client() as client:
        _saved(client, SMTPD, b"id")
        key = client.ticket_key()
    for worker in sandbox.workers:
        worker.kill()

    sandbox.start("prng-server")
    server = sandbox.start("cache-server")

    with sandbox.client() as client:
        assert client.lookup(SMTPD, b"id") is None
        assert client.ticket_key() not in (None, key)
        _saved(client, SMTPD, b"id")
        assert client.lookup(SMTPD, b"id") == b"session of id"
    assert _alarms(sandbox) == 0
    assert "on disk" not in server.log


@pytest.mark.parametrize("name", ["cache-server", "prng-server"])
def test_an_outsider_who_asks_for_the_key_is_refused(sandbox: Sandbox, name: str) -> None:
    """Even of the right user, on the right socket: counted, and logged once a minute with uid and pid."""
    worker = next(each for each in sandbox.workers if each.name == name)
    with sandbox.client(name) as client:
        for _ in range(3):
            with pytest.raises(TlsmgrError, match="for the other worker alone"):
                client.call("sealing_key", b"", b"")
    assert _stats(sandbox, name)["sealing"]["key_refused"] == 3
    assert worker.log.count("refused the sealing key to uid") == 1


def _swap(database: sqlite3.Connection) -> None:
    database.execute("UPDATE Cache SET key = x'78' WHERE key = CAST('one' AS BLOB)")
    database.execute("UPDATE Cache SET key = CAST('one' AS BLOB) WHERE key = CAST('two' AS BLOB)")


def _flip(database: sqlite3.Connection) -> None:
    ((value,),) = database.execute("SELECT value FROM Cache WHERE key = CAST('one' AS BLOB)")
    changed = value[:-20] + bytes([value[-20] ^ 1]) + value[-19:]
    database.execute("UPDATE Cache SET value = ? WHERE key = CAST('one' AS BLOB)", (changed,))


def _prolong(database: sqlite3.Connection) -> None:
    database.execute("UPDATE Cache SET expire_time = expire_time + 1000")


def _plain(database: sqlite3.Connection) -> None:
    database.execute("UPDATE Cache SET value = CAST('a session that nobody sealed' AS BLOB)")


@pytest.mark.parametrize("tamper", [_swap, _flip, _prolong, _plain])
def test_an_entry_that_was_changed_on_disk_is_a_miss_and_an_alarm(
    sandbox: Sandbox, tamper: Callable[[sqlite3.Connection], None]
) -> None:
    """Moved to another id, changed in a bit, made to live longer, planted: each time that it is looked up."""
    with sandbox.client() as client:
        _saved(client, SMTPD, b"one", b"two")
        with closing(sqlite3.connect(_database(sandbox, SMTPD))) as database, database:
            tamper(database)
        assert client.lookup(SMTPD, b"one") is None
        assert _alarms(sandbox) == 1
        _saved(client, SMTPD, b"one")
        assert client.lookup(SMTPD, b"one") == b"session of one"
    sandbox.workers[1].wait_for_log("an entry of the smtpd session store was changed or moved on disk")


def test_an_entry_of_another_cache_is_a_miss_and_an_alarm(sandbox: Sandbox) -> None:
    """What smtpd saved is no session of smtp, though one key seals both."""
    with sandbox.client() as client:
        _saved(client, SMTPD, b"one")
        _saved(client, SMTP, b"one")
        with closing(sqlite3.connect(_database(sandbox, SMTPD))) as database:
            ((value,),) = database.execute("SELECT value FROM Cache")
        with closing(sqlite3.connect(_database(sandbox, SMTP))) as database, database:
            database.execute("UPDATE Cache SET value = ?", (value,))
        assert client.lookup(SMTP, b"one") is None
        assert client.lookup(SMTPD, b"one") == b"session of one"
    assert (_alarms(sandbox, SMTP), _alarms(sandbox, SMTPD)) == (1, 0)


def _database(sandbox: Sandbox, cache_type: CacheType) -> Path:
    return sandbox.data / f"{cache_type.value}_scache" / "cache.db"
