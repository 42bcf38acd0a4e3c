"""The verb ``stats``, in each of its forms."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rehearsal.sandbox import Sandbox
from tlsmgr.cli.figures_table import tables
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType


@pytest.fixture
def served(sandbox: Sandbox) -> Sandbox:
    """Give workers that found one session and missed another."""
    for name in WORKERS:
        sandbox.start(name)
    with sandbox.client() as client:
        assert client.update(CacheType.SMTPD, b"x", b"session")
        assert client.lookup(CacheType.SMTPD, b"x") is not None
        assert client.lookup(CacheType.SMTPD, b"y") is None
    return sandbox


def test_stats_has_a_form_for_people_for_programs_and_for_prometheus(served: Sandbox) -> None:
    """All three say the same."""
    table = served.command("stats")
    objects = served.command("stats", "--json", "--cache", "smtpd", "cache-server")
    metrics = served.command("stats", "--prometheus", "--cache", "smtpd")

    assert (table.returncode, table.stderr) == (ExitCode.OK, b"")
    rows = [line.split() for line in table.stdout.decode().splitlines()]
    assert ["hits", "1", "0", "0"] in rows
    assert ["missed:", "absent", "1", "0", "0"] in rows
    assert ["hit", "rate", "50.0%", "-", "-"] in rows
    line = json.loads(objects.stdout)
    assert (line["name"], list(line["caches"])) == ("cache-server", ["smtpd"])
    assert line["caches"]["smtpd"]["misses_by_reason"]["absent"] == 1
    samples = [
        (sample.name, sample.labels["cache"], sample.value)
        for family in text_string_to_metric_families(metrics.stdout.decode())
        for sample in family.samples
    ]
    assert ("tlsmgr_cache_hits_total", "smtpd", 1) in samples
    assert {cache for _, cache, _ in samples} == {"smtpd"}


def test_stats_prints_what_there_is_and_says_who_does_not_answer(sandbox: Sandbox) -> None:
    """With an exit code of its own."""
    sandbox.start("prng-server")

    done = sandbox.command("stats")
    objects = sandbox.command("stats", "--json")
    metrics = sandbox.command("stats", "--prometheus")

    for each in (done, objects, metrics):
        assert each.returncode == ExitCode.UNAVAILABLE
        assert each.stderr.count(b"\n") == 2
        assert b"cache-server.sock" in each.stderr
    assert b"dev:/dev/urandom" in done.stdout
    assert [json.loads(line)["name"] for line in objects.stdout.splitlines()] == ["prng-server"]
    assert b'tlsmgr_up{worker="cache-server"} 0\n' in metrics.stdout


@pytest.mark.parametrize("options", [["--json", "--prometheus"], ["--cache", "imap"], ["postfix"]])
def test_wrong_options_are_usage_errors(sandbox: Sandbox, options: list[str]) -> None:
    """And no worker is asked."""
    assert sandbox.command("stats", *options).returncode == ExitCode.USAGE


def test_a_table_is_made_of_whatever_workers_say() -> None:
    """An older or a newer one may leave out, or say otherwise, anything."""
    odd = {"name": 7, "caches": {"smtpd": 5, "smtp": {"hits": "many"}}, "requests": {"rpc": {"seed": None}}}
    assert list(tables({"cache-server": odd, "prng-server": {}, "expiry-sweeper": None}))
    assert list(tables({"cache-server": {}}, cache="smtp"))
