import sqlite3
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rehearsal.loopback import free_port
from rehearsal.redis_server import RedisServer
from rehearsal.sandbox import Sandbox
from rehearsal.sharing import sharing
from tests.figures.load import ask_as_postfix, ask_by_rpc, counted, send_garbage
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode
from tlsmgr.figures.catalog import METRICS
from tlsmgr.messages import CacheType

RPC = "worker=cache-server,protocol=rpc"
POSTFIX = "worker=cache-server,protocol=postfix"


@pytest.fixture(scope="module")
def loaded() -> Iterator[Sandbox]:
    """Give workers that had the load, and serve metrics."""
    with Sandbox(caches=["smtpd", "smtp"]) as sandbox, RedisServer(sandbox.root / "redis") as store:
        sandbox.configure(*sharing(sandbox, store.url, "smtp"), f"tlsmgr_metrics_address = :{free_port()}")
        for name in WORKERS:
            sandbox.start(name)
        with sandbox.client() as client:
            ask_by_rpc(client)
        ask_as_postfix(sandbox.postfix_socket)
        send_garbage(sandbox.socket("cache-server"))
        yield sandbox


def test_the_figures_are_those_of_the_load(loaded: Sandbox) -> None:
    """Every request is counted once, where it belongs."""
    figures = counted(loaded)
    expected = {
        "tlsmgr_cache_hits_total{cache=smtpd}": 4,
        "tlsmgr_cache_misses_total{cache=smtpd,reason=absent}": 3,
        "tlsmgr_cache_misses_total{cache=smtpd,reason=expired}": 0,
        "tlsmgr_cache_misses_total{cache=lmtp,reason=disabled}": 1,
        "tlsmgr_cache_hit_age_seconds_count{cache=smtpd}": 4,
        "tlsmgr_cache_hits_total{cache=smtp}": 0,
        "tlsmgr_cache_updates_total{cache=smtpd}": 2,
        "tlsmgr_cache_stores_total{cache=smtpd}": 2,
        "tlsmgr_cache_delete_requests_total{cache=smtpd}": 2,
        "tlsmgr_cache_deletes_total{cache=smtpd}": 1,
        "tlsmgr_cache_entries{cache=smtpd}": 1,
        "tlsmgr_cache_enabled{cache=lmtp}": 0,
        "tlsmgr_ticket_key_requests_total{key=issued}": 1,
        "tlsmgr_ticket_key_requests_total{key=current}": 4,
        "tlsmgr_ticket_key_requests_total{key=previous}": 0,
        "tlsmgr_ticket_key_requests_total{key=unknown}": 1,
        "tlsmgr_ticket_keys_made_total{}": 1,
        f"tlsmgr_requests_total{{{RPC},method=lookup,status=ok}}": 3,
        f"tlsmgr_requests_total{{{RPC},method=lookup,status=not_done}}": 2,
        f"tlsmgr_requests_total{{{RPC},method=update,status=ok}}": 2,
        f"tlsmgr_requests_total{{{RPC},method=delete,status=ok}}": 1,
        f"tlsmgr_requests_total{{{RPC},method=delete,status=not_done}}": 1,
        f"tlsmgr_requests_total{{{RPC},method=tktkey,status=ok}}": 5,
        f"tlsmgr_requests_total{{{RPC},method=tktkey,status=not_done}}": 1,
        f"tlsmgr_requests_total{{{RPC},method=seed,status=ok}}": 5,
        f"tlsmgr_requests_total{{{POSTFIX},method=lookup,status=ok}}": 1,
        f"tlsmgr_requests_total{{{POSTFIX},method=lookup,status=not_done}}": 1,
        f"tlsmgr_requests_total{{{POSTFIX},method=lookup,status=failed}}": 1,
        f"tlsmgr_requests_total{{{POSTFIX},method=malformed,status=failed}}": 1,
        f"tlsmgr_protocol_errors_total{{{POSTFIX}}}": 1,
        f"tlsmgr_protocol_errors_total{{{RPC}}}": 3,
        f"tlsmgr_requests_total{{{RPC},method=malformed,status=failed}}": 1,
        f"tlsmgr_requests_total{{{RPC},method=unknown,status=failed}}": 1,
        f"tlsmgr_requests_total{{{RPC},method=policy,status=failed}}": 1,
        f"tlsmgr_connections_refused_total{{{POSTFIX}}}": 0,
        "tlsmgr_entropy_source_state{state=good}": 1,
        "tlsmgr_exchange_file_updates_total{}": 1,
        "tlsmgr_sweeps_total{cache=smtpd}": 1,
    }
    assert {name: figures.get(name) for name in expected} == expected
    # One more for the key: its material came out of the same reserve, or from the kernel.
    seeds = figures["tlsmgr_seeds_total{origin=pool}"] + figures["tlsmgr_seeds_total{origin=kernel}"]
    assert seeds in {5, 6}


def test_every_metric_of_the_catalog_has_samples(loaded: Sandbox) -> None:
    """No row of it is a place where nothing is; of a farm, a host that is in none has nothing to tell."""
    names = {name.partition("{")[0] for name in counted(loaded)}
    kinds = {metric.name: metric.kind.value for metric in METRICS}
    missing = {
        name
        for name, kind in kinds.items()
        if (f"{name}_bucket" if kind == "histogram" else name) not in names
    }
    assert missing == {metric.name for metric in METRICS if metric.place.startswith("farm.")}


def test_a_latency_is_less_than_what_was_waited_for(loaded: Sandbox) -> None:
    """One request in seventeen is timed, the first one too."""
    figures = counted(loaded)
    count = figures[f"tlsmgr_request_duration_seconds_count{{{RPC},method=ping}}"]
    assert count >= 1
    assert 0 < figures[f"tlsmgr_request_duration_seconds_sum{{{RPC},method=ping}}"] < count


def test_http_gives_what_the_command_prints(loaded: Sandbox) -> None:
    """The same metrics, types, help texts and samples, apart from what the asking itself changes."""
    printed = loaded.command("stats", "--prometheus")
    assert printed.returncode == ExitCode.OK, printed.stderr
    assert _shapes(_scrape(loaded)) == _shapes(printed.stdout.decode())


def test_http_says_which_worker_is_down(loaded: Sandbox) -> None:
    """The others' figures are there all the same, and the command says so with its exit code."""
    prng_server = next(worker for worker in loaded.workers if worker.name == "prng-server")
    prng_server.stop()
    try:
        text = _scrape(loaded)
        done = loaded.command("stats")
    finally:
        loaded.start("prng-server")
    assert 'tlsmgr_up{worker="prng-server"} 0.0' in text
    assert 'tlsmgr_up{worker="cache-server"} 1.0' in text
    assert (done.returncode, b"prng-server" in done.stderr) == (ExitCode.UNAVAILABLE, True)
    assert b"smtpd" in done.stdout


def test_damaged_entries_are_told_from_absent_ones() -> None:
    """Each miss has its reason."""
    with Sandbox(caches=["smtpd"]) as sandbox:
        sandbox.configure("tlsmgr_memory_cache_size = 0")
        for name in ("prng-server", "cache-server"):
            sandbox.start(name)
        with sandbox.client() as client:
            for cache_id in (b"old", b"changed"):
                assert client.update(CacheType.SMTPD, cache_id, b"session")
            with closing(sqlite3.connect(sandbox.data / "smtpd_scache" / "cache.db")) as store:
                store.execute("UPDATE Cache SET value = zeroblob(100) WHERE key = ?", (b"changed",))
                store.commit()
            assert client.lookup(CacheType.SMTPD, b"changed") is None
            assert client.lookup(CacheType.SMTPD, b"absent") is None
        figures = counted_cache_server(sandbox)
    assert figures == {"absent": 1, "damaged": 1}


def counted_cache_server(sandbox: Sandbox) -> Mapping[str, object]:
    """Return the reasons for misses that there were."""
    with sandbox.client() as client:
        stats = client.call("stats")
    assert isinstance(stats, dict)
    reasons = stats["caches"]["smtpd"]["misses_by_reason"]
    return {reason: count for reason, count in reasons.items() if count}


def _scrape(sandbox: Sandbox) -> str:
    port = sandbox.main_cf.read_text().rpartition(":")[2].strip()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        return str(response.read(), "utf-8")


def _shapes(text: str) -> set[tuple[str, str, str, frozenset[tuple[str, str]]]]:
    return {
        (family.type, family.documentation, sample.name, frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "method" not in sample.labels
    }
