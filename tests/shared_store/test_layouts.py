"""TLS, Sentinel and Cluster, each with real servers."""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rehearsal.certificate import Certificate, self_signed
from rehearsal.loopback import free_port
from rehearsal.redis_server import RedisServer
from rehearsal.waiting import wait_for
from tests.shared_store.loops import failure, with_store
from tlsmgr.errors import ConfigurationError
from tlsmgr.shared_store.address import parse_address
from tlsmgr.shared_store.failures import Cause, SharedStoreError
from tlsmgr.shared_store.opening import open_shared_store
from tlsmgr.shared_store.store import SharedChange, SharedPut, SharedRemove, SharedStore

_MINUTE = 60_000


async def _all_methods(store: SharedStore) -> None:
    await store.ping()
    await store.put(b"key", b"value", _MINUTE)
    assert await store.get(b"key") == b"value"
    assert await store.put_if_absent(b"key", b"other", _MINUTE) == b"value"
    await store.delete(b"key")
    changes: list[SharedChange] = [
        SharedPut(key=b"a", value=b"1", milliseconds=_MINUTE),
        SharedRemove(key=b"b"),
    ]
    assert await store.apply(changes) == [None, None]


def _certificate(directory: Path) -> Certificate:
    return self_signed(directory, now=dt.datetime.now(dt.UTC))


def _tls_options(files: Certificate, port: int) -> list[str]:
    return [
        f"tls-port {port}",
        f"tls-cert-file {files.certificate}",
        f"tls-key-file {files.key}",
        f"tls-ca-cert-file {files.certificate}",
    ]


def test_tls_with_certificates_of_both_sides(tmp_path: Path) -> None:
    """The server wants a certificate from us, and we check its own."""
    files, port = _certificate(tmp_path), free_port()
    options = f"ssl_ca_certs={files.certificate}&ssl_certfile={files.certificate}&ssl_keyfile={files.key}"
    with RedisServer(tmp_path / "redis", _tls_options(files, port)):
        with_store(f"rediss://localhost:{port}?{options}", _all_methods)


def test_tls_with_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """It is refused, and said so."""

    async def test(store: SharedStore) -> None:
        assert "certificate verify failed" in await failure(store.ping(), Cause.UNREACHABLE)

    files, port = _certificate(tmp_path), free_port()
    with RedisServer(tmp_path / "redis", [*_tls_options(files, port), "tls-auth-clients no"]):
        with_store(f"rediss://localhost:{port}", test)


def test_tls_with_a_certificate_of_another_name(tmp_path: Path) -> None:
    """The name is checked, unless the URL says otherwise."""

    async def refused(store: SharedStore) -> None:
        assert "127.0.0.1" in await failure(store.ping(), Cause.UNREACHABLE)

    files, port = _certificate(tmp_path), free_port()
    url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={files.certificate}"
    with RedisServer(tmp_path / "redis", [*_tls_options(files, port), "tls-auth-clients no"]):
        with_store(url, refused)
        with_store(f"{url}&ssl_check_hostname=no", _all_methods)


def test_tls_files_that_are_not_there() -> None:
    """It is a mistake in the configuration, told at the start."""
    with pytest.raises(ConfigurationError, match=r"\$mail_owner must be able to read it"):
        open_shared_store(parse_address("rediss://a?ssl_ca_certs=/nowhere"), None)


@contextmanager
def _cluster(directory: Path, options: list[str], port: int) -> Iterator[RedisServer]:
    configuration = [
        "cluster-enabled yes",
        "cluster-config-file nodes.conf",
        f"cluster-port {free_port()}",
        *options,
    ]
    with RedisServer(directory, configuration, port=port) as server:
        server.ask("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        wait_for("the cluster is complete", lambda: b"cluster_state:ok" in server.ask("CLUSTER", "INFO"))
        yield server


def test_a_cluster(tmp_path: Path) -> None:
    """One server that owns all slots is a cluster."""
    with _cluster(tmp_path / "redis", [], free_port()) as server:
        with_store(f"redis+cluster://127.0.0.1:{server.port}", _all_methods)


def test_a_cluster_that_serves_no_slots(tmp_path: Path) -> None:
    """It has no server for our keys."""

    async def test(store: SharedStore) -> None:
        await failure(store.get(b"key"), Cause.FAILING_OVER)

    with _cluster(tmp_path / "redis", [], free_port()) as server:
        server.ask("CLUSTER", "FLUSHSLOTS")
        wait_for("the cluster is down", lambda: b"cluster_state:fail" in server.ask("CLUSTER", "INFO"))
        with_store(f"redis+cluster://127.0.0.1:{server.port}", test)


def test_a_cluster_with_tls(tmp_path: Path) -> None:
    """The files of TLS count for each of its servers."""
    files, port = _certificate(tmp_path), free_port()
    options = [*_tls_options(files, port), "tls-auth-clients no", "tls-cluster yes"]
    url = f"rediss+cluster://127.0.0.1:{port}?ssl_ca_certs={files.certificate}&ssl_check_hostname=no"
    with _cluster(tmp_path / "redis", options, 0):
        with_store(url, _all_methods)


@contextmanager
def _watched(directory: Path) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """Yield a master, its replica, and a sentinel that makes the replica master within a second or two."""
    with ExitStack() as at_end:
        master = at_end.enter_context(RedisServer(directory / "master", port=free_port()))
        options = [f"replicaof 127.0.0.1 {master.port}", "repl-diskless-sync-delay 0"]
        replica = at_end.enter_context(RedisServer(directory / "replica", options, port=free_port()))
        wait_for("the replica is in sync", lambda: b"state=online" in master.ask("INFO", "replication"))
        options = [
            f"sentinel monitor mail 127.0.0.1 {master.port} 1",
            "sentinel down-after-milliseconds mail 300",
            "sentinel failover-timeout mail 2000",
        ]
        sentinel = at_end.enter_context(
            RedisServer(directory / "sentinel", options, port=free_port(), sentinel=True)
        )
        wait_for("the sentinel knows the replica", lambda: b"slaves=1" in sentinel.ask("INFO", "sentinel"))
        yield master, replica, sentinel


async def _insist(store: SharedStore) -> None:
    """Save a value as soon as that can be done; what fails meanwhile has a clear cause."""
    causes = {Cause.UNREACHABLE, Cause.FAILING_OVER, Cause.SLOW}
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        try:
            await store.put(b"later", b"value", _MINUTE)
        except SharedStoreError as error:
            if error.cause not in causes:
                raise
        else:
            return
    raise AssertionError("not within 20 s")


def test_sentinels_lead_to_the_new_master_when_the_old_one_dies(tmp_path: Path) -> None:
    """What is asked in between fails with a clear cause; afterwards all works, with what was saved before."""

    async def test(store: SharedStore) -> None:
        await store.put(b"key", b"value", _MINUTE)
        wait_for("the replica has it", lambda: replica.ask("EXISTS", "key") == b":1\r\n")
        master.kill()
        await _insist(store)
        assert await store.get(b"key") == b"value"

    with _watched(tmp_path) as (master, replica, sentinel):
        with_store(f"redis+sentinel://127.0.0.1:{sentinel.port}/mail", test)
        assert replica.ask("EXISTS", "later") == b":1\r\n"


def test_a_master_that_became_a_replica_is_left(tmp_path: Path) -> None:
    """A change that it refuses leads to asking the sentinels again."""

    async def test(store: SharedStore) -> None:
        await store.put(b"key", b"value", _MINUTE)
        sentinel.ask("SENTINEL", "REMOVE", "mail")
        replica.ask("REPLICAOF", "NO", "ONE")
        master.ask("REPLICAOF", "127.0.0.1", str(replica.port))
        sentinel.ask("SENTINEL", "MONITOR", "mail", "127.0.0.1", str(replica.port), "1")
        assert b"role:slave" in master.ask("INFO", "replication")
        await _insist(store)

    with _watched(tmp_path) as (master, replica, sentinel):
        with_store(f"redis+sentinel://127.0.0.1:{sentinel.port}/mail", test)
        assert replica.ask("EXISTS", "later") == b":1\r\n"


def test_sentinels_that_know_no_such_service(tmp_path: Path) -> None:
    """It is as if there were no master."""

    async def test(store: SharedStore) -> None:
        await failure(store.get(b"key"), Cause.FAILING_OVER)

    with RedisServer(tmp_path / "sentinel", port=free_port(), sentinel=True) as sentinel:
        with_store(f"redis+sentinel://127.0.0.1:{sentinel.port}/mail", test)
