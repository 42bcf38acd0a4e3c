"""The verbs that speak to the workers themselves."""

import json
import secrets
import shutil

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode, ProtocolError
from tlsmgr.messages import CacheType


def test_ping_says_who_answers(sandbox: Sandbox) -> None:
    """Ping names each worker, and ends with 69 as long as one of them is down."""
    sandbox.start("prng-server")

    one = sandbox.command("ping", "prng-server")
    all_of_them = sandbox.command("ping")
    quiet = sandbox.command("ping", "--quiet")

    assert (one.returncode, one.stdout) == (ExitCode.OK, b"prng-server: answers\n")
    assert all_of_them.returncode == ExitCode.UNAVAILABLE
    assert all_of_them.stdout.count(b"\n") == len(WORKERS)
    assert (quiet.returncode, quiet.stdout) == (ExitCode.UNAVAILABLE, b"")


def test_stats_is_a_json_object_a_line(sandbox: Sandbox) -> None:
    """Stats prints what each worker counted."""
    for name in WORKERS:
        sandbox.start(name)
    sandbox.command("update", "smtpd", "x")
    sandbox.command("lookup", "smtpd", "x")

    done = sandbox.command("stats", "--json")

    assert done.returncode == ExitCode.OK
    stats = {figures["name"]: figures for figures in map(json.loads, done.stdout.splitlines())}
    assert stats.keys() == set(WORKERS)
    smtpd = stats["cache-server"]["caches"]["smtpd"]
    assert (smtpd["updates"], smtpd["hits"], smtpd["entries"]) == (1, 1, 1)


def test_an_unknown_worker_is_a_usage_error(sandbox: Sandbox) -> None:
    """Only the three names are taken."""
    assert sandbox.command("ping", "tlsmgr").returncode == ExitCode.USAGE
    assert sandbox.command("serve", "tlsmgr").returncode == ExitCode.USAGE


def test_revoke_drops_sessions_and_ticket_keys(sandbox: Sandbox) -> None:
    """At once and for good; it says how long running smtpd processes may accept old tickets."""
    sandbox.start("prng-server")
    server = sandbox.start("cache-server")
    with sandbox.client() as client:
        assert client.update(CacheType.SMTP, b"id", b"session")
        key = client.ticket_key()
        assert key is not None

        done = sandbox.command("revoke")

        assert done.returncode == ExitCode.OK, done.stderr
        assert b"may accept old tickets for 5399 s more" in done.stdout
        assert b"wherever a copy is: both workers have a new sealing key" in done.stdout
        assert client.lookup(CacheType.SMTP, b"id") is None
        assert client.ticket_key(key[:16]) is None
        assert client.update(CacheType.SMTP, b"new", b"session")
        new_key = client.ticket_key()
        assert new_key != key
    assert server.stop() == 0
    sandbox.start("cache-server")
    with sandbox.client() as client:
        assert client.lookup(CacheType.SMTP, b"id") is None
        assert client.lookup(CacheType.SMTP, b"new") == b"session"
        assert client.ticket_key() == new_key


def test_revoke_with_a_key_in_a_file_removes_first_and_says_what_is_left_to_do(sandbox: Sandbox) -> None:
    """The key is not ours to change: a restarted worker has it again, but finds nothing."""
    key_file = sandbox.root / "key"
    key_file.write_text(secrets.token_hex(32))
    key_file.chmod(0o600)
    sandbox.configure(f"tlsmgr_sealing_key_file = {key_file}", "tlsmgr_ticket_key_lease = 60s")
    server = sandbox.start("cache-server")
    with sandbox.client() as client:
        assert client.update(CacheType.SMTP, b"id", b"session")
    aside = sandbox.data / "smtp_scache.damaged-20260102T030405Z"
    aside.mkdir()
    shutil.copy(sandbox.data / "smtp_scache" / "cache.db", aside)

    done = sandbox.command("revoke")

    assert done.returncode == ExitCode.OK, done.stderr
    assert b"stores set aside as damaged: 1 are removed" in done.stdout
    assert not aside.exists()
    assert b"old tickets for 3660 s more" in done.stdout
    assert b"make a new file" in done.stdout
    assert server.stop() == 0
    sandbox.start("cache-server")
    with sandbox.client() as client:
        assert client.lookup(CacheType.SMTP, b"id") is None
        assert client.call("stats")["caches"]["smtp"]["entries"] == 0  # type: ignore[index]  # a map, as tested


def test_revoke_takes_no_params(sandbox: Sandbox) -> None:
    """A call that means something else by them changes nothing."""
    sandbox.start("cache-server")
    with sandbox.client() as client:
        assert client.update(CacheType.SMTP, b"id", b"session")
        with pytest.raises(ProtocolError):
            client.call("revoke", "smtp")
        assert client.lookup(CacheType.SMTP, b"id") == b"session"
