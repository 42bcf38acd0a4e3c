"""The verbs that show and remove sessions, with the cache server running and stopped."""

import json
from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from tests.sealing.test_other_worker import running
from tlsmgr.cli.entry_access import reach_entries
from tlsmgr.config.settings import load_settings
from tlsmgr.errors import AddressInUseError, ExitCode
from tlsmgr.messages import CacheType

_IDS = {
    "smtpd": [b"0123456789ABCDEF&s=smtp&l=805306608"],
    "smtp": [
        b"smtp&example.com&mx1.example.com&192.0.2.1&&AA&l=805306608",
        b"smtp&example.com&mx2.example.com&192.0.2.2&&AA&l=805306608",
        b"smtp&[relay.example.net]:587&relay.example.net&2001:db8::1&&AA&l=805306608",
        b"an id of \x00 another \xff program",
    ],
    "lmtp": [],
}
_SECRET = b"what nobody may see"


@pytest.fixture(params=["running", "stopped"])
def filled(request: pytest.FixtureRequest, sandbox: Sandbox) -> Sandbox:
    """Give a sandbox with some sessions, whose cache server runs, or does not any more."""
    server = sandbox.start("cache-server")
    with sandbox.client() as client:
        for cache, ids in _IDS.items():
            for cache_id in ids:
                assert client.update(CacheType(cache), cache_id, _SECRET)
    if request.param == "stopped":
        assert server.stop() == 0
    return sandbox


def _listed(sandbox: Sandbox, *options: str) -> list[dict[str, object]]:
    done = sandbox.command("list", "--json", *options)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def _ids(sandbox: Sandbox, *options: str) -> set[bytes]:
    return {bytes.fromhex(str(entry["id_hex"])) for entry in _listed(sandbox, *options)}


def test_list_shows_every_entry_and_no_session(filled: Sandbox) -> None:
    """Cache, age, time left, size and id; a table for people, where nothing forges a line or a colour."""
    entries = _listed(filled)
    table = filled.command("list")

    assert [entry["cache"] for entry in entries] == ["smtpd"] + ["smtp"] * 4
    assert {entry["size"] for entry in entries} == {len(_SECRET)}
    assert all(0 <= float(str(entry["age"])) < 60 for entry in entries)
    assert all(3500 < float(str(entry["left"])) <= 3600 for entry in entries)
    assert (entries[1]["next_hop"], entries[1]["host"]) == ("example.com", "mx1.example.com")
    lines = table.stdout.decode().splitlines()
    assert lines[0].split() == ["CACHE", "AGE", "LEFT", "BYTES", "ID"]
    assert len(lines) == 6
    assert len({line.index("19  ") for line in lines[1:]}) == 1
    assert _SECRET not in table.stdout
    assert b"\x1b" not in table.stdout


def test_list_is_filtered(filled: Sandbox) -> None:
    """By cache, by destination and by age."""
    assert _ids(filled, "--cache", "smtpd") == set(_IDS["smtpd"])
    assert _ids(filled, "--destination", "EXAMPLE.com") == set(_IDS["smtp"][:2])
    assert _ids(filled, "--destination", "192.0.2.2") == {_IDS["smtp"][1]}
    assert _ids(filled, "--destination", "relay.example.net") == {_IDS["smtp"][2]}
    assert _ids(filled, "--older-than", "1h") == set()
    assert len(_ids(filled, "--older-than", "0")) == 5


def test_flush_by_destination_removes_that_alone(filled: Sandbox) -> None:
    """A dry run counts and changes nothing; the count of the real one is the same."""
    tried = filled.command("flush", "--destination", "example.com", "--dry-run")
    before = _ids(filled)
    done = filled.command("flush", "--destination", "example.com")

    assert tried.stdout.decode().splitlines() == [
        "cache smtpd: 0 entries would be removed",
        "cache smtp: 2 entries would be removed",
        "cache lmtp: 0 entries would be removed",
    ]
    assert len(before) == 5
    assert b"cache smtp: 2 entries removed\n" in done.stdout
    assert _ids(filled) == before - set(_IDS["smtp"][:2])


def test_flush_of_one_cache_leaves_the_others(filled: Sandbox) -> None:
    """Nothing of it is found any more: neither on disk nor in memory."""
    done = filled.command("flush", "--cache", "smtp")

    assert (done.returncode, done.stdout) == (ExitCode.OK, b"cache smtp: 4 entries removed\n")
    assert _ids(filled) == set(_IDS["smtpd"])
    if filled.answers("cache-server"):
        with filled.client() as client:
            assert client.lookup(CacheType.SMTP, _IDS["smtp"][0]) is None
            assert client.lookup(CacheType.SMTPD, _IDS["smtpd"][0]) == _SECRET


def test_many_entries_are_all_listed_and_flushed(sandbox: Sandbox) -> None:
    """Over many pages, each entry once."""
    sandbox.start("cache-server")
    ids = {b"smtp&h%d&h%d&::1&&A&l=1" % (number, number) for number in range(650)}
    with sandbox.client() as client:
        for cache_id in ids:
            assert client.update(CacheType.SMTP, cache_id, b"s")

    listed = _listed(sandbox, "--cache", "smtp")
    done = sandbox.command("flush")

    assert len(listed) == len(ids)
    assert {bytes.fromhex(str(entry["id_hex"])) for entry in listed} == ids
    assert b"cache smtp: 650 entries removed\n" in done.stdout
    assert _listed(sandbox) == []


def test_who_looks_keeps_no_cache_server_from_starting(filled: Sandbox) -> None:
    """However long it takes; and once it runs, nothing is removed behind its back."""
    if filled.answers("cache-server"):
        assert filled.workers[0].stop() == 0
    with reach_entries(load_settings(filled.etc)) as entries:
        assert len(entries.page(CacheType.SMTP, 0)[0]) == 4
        server = filled.start("cache-server")
        assert len(entries.page(CacheType.SMTP, 0)[0]) == 4
        assert entries.flush(CacheType.SMTP, 0, "", dry_run=True)[0] == 4
        with pytest.raises(
            AddressInUseError, match=f"locked by process {server.pid}: cache-server is running"
        ):
            entries.flush(CacheType.SMTP, 0, "", dry_run=False)
    assert len(_ids(filled)) == 5


def test_a_server_that_hangs_is_not_gone(sandbox: Sandbox) -> None:
    """Whoever holds its lock is named, and the stores are left to it."""
    with running(_pid_file(sandbox)) as process_id:
        done = sandbox.command("flush")

    assert done.returncode == ExitCode.UNAVAILABLE
    assert f"locked by process {process_id}" in done.stderr.decode()


def _pid_file(sandbox: Sandbox) -> Path:
    sandbox.run.mkdir(mode=0o700)
    return sandbox.run / "cache-server.pid"


def test_before_there_is_a_store_there_are_no_entries(sandbox: Sandbox) -> None:
    """Nothing is made by looking."""
    assert _listed(sandbox) == []
    assert not (sandbox.data / "smtp_scache").exists()


@pytest.mark.parametrize(
    "arguments", [("list", "--cache", "imap"), ("list", "--older-than", "x"), ("flush", "x")]
)
def test_wrong_arguments(sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    """They end with 64, and without a traceback."""
    done = sandbox.command(*arguments)

    assert done.returncode == ExitCode.USAGE
    assert b"Traceback" not in done.stderr
