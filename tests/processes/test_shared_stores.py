"""Whole workers of two hosts, with a Redis server between them."""

import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.loopback import free_port
from rehearsal.redis_server import RedisServer
from rehearsal.sandbox import UNPRIVILEGED_USER, Sandbox
from rehearsal.sharing import secret_file, sharing
from rehearsal.waiting import wait_for
from tlsmgr.client import CacheType, Client
from tlsmgr.errors import ExitCode, Status
from tlsmgr.messages import LookupReply, LookupRequest, Reply, Verb

_SMTPD = CacheType.SMTPD


@contextmanager
def _host(server: RedisServer, *caches: str) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        sandbox.configure(*sharing(sandbox, server.url, *(caches or ("smtpd",))))
        worker = sandbox.start("cache-server")
        wait_for("shared store", lambda: _store_is_up(sandbox))
        yield sandbox
        worker.stop()


def _store(sandbox: Sandbox) -> dict[str, object]:
    with sandbox.client() as client:
        stats = client.call("stats")
    assert isinstance(stats, dict)
    (store,) = stats["shared_stores"].values()
    assert isinstance(store, dict)
    return store


def _store_is_up(sandbox: Sandbox) -> bool:
    return bool(_store(sandbox)["up"])


def test_a_session_of_one_host_is_found_by_another_one_through_either_protocol(
    redis_server: RedisServer,
) -> None:
    """Each of the two dialogues waits for the answer that the store gives."""
    with _host(redis_server) as one, _host(redis_server) as other:
        with one.client() as client:
            for cache_id in (b"first", b"second"):
                assert client.update(_SMTPD, cache_id, b"session of " + cache_id)
        wait_for("keys", lambda: len(redis_server.keys()) == 2)
        with other.client() as client:
            assert client.lookup(_SMTPD, b"first") == b"session of first"
        with AttributeClient(other.postfix_socket) as postfix:
            assert _asked(postfix, b"second") == LookupReply(status=Status.OK, session=b"session of second")
            assert _asked(postfix, b"third") == LookupReply(status=Status.NOT_DONE)


def _asked(postfix: AttributeClient, cache_id: bytes) -> Reply:
    return postfix.ask(LookupRequest(cache_type=_SMTPD, cache_id=cache_id), Verb.LOOKUP)


def _durations(client: Client, count: int) -> list[float]:
    """Return how long lookups took that find nothing, the longest last."""
    durations = []
    for number in range(count):
        begun = time.perf_counter()
        assert client.lookup(_SMTPD, b"%d" % number) is None
        durations.append(time.perf_counter() - begun)
    return sorted(durations)


@pytest.mark.parametrize("trouble", ["stopped", "killed"])
def test_no_client_waits_for_a_store_in_trouble(redis_server: RedisServer, trouble: str) -> None:
    """Nor is anybody left without an answer; what is saved meanwhile gets there when it works again."""
    with _host(redis_server) as sandbox, sandbox.client() as client:
        with redis_server.stopped():
            if trouble == "killed":
                redis_server.kill()
            # 20 ms are the promise, which test_shared_sessions.py holds by the clock of the event
            # loop; a machine that runs other tests besides lets any process wait now and then.
            durations = _durations(client, 100)
            assert durations[-10] < 0.06
            assert durations[-1] < 0.5
            assert client.update(_SMTPD, b"id", b"session")
            assert client.lookup(_SMTPD, b"id") == b"session"
        if trouble == "killed":
            redis_server.start()
        wait_for("shared session", lambda: len(redis_server.keys()) == 1)


def test_revoking_reaches_the_other_hosts(redis_server: RedisServer) -> None:
    """The command says whether the store knows."""
    with _host(redis_server) as one, _host(redis_server) as other:
        with one.client() as client:
            assert client.update(_SMTPD, b"id", b"session")
        wait_for("key", redis_server.keys)
        done = other.command("revoke")
        assert done.returncode == ExitCode.OK, done.stderr
        with other.client() as client:
            assert client.lookup(_SMTPD, b"id") is None
        redis_server.kill()
        done = other.command("revoke")
        assert done.returncode == ExitCode.NOT_DONE
        assert b"sessions in shared store unix://" in done.stderr


def test_a_shared_store_needs_the_farms_secret(redis_server: RedisServer) -> None:
    """Without it nothing could be sealed for all."""
    with Sandbox() as sandbox:
        sandbox.configure(f"smtpd_tls_session_cache_database = redis:{redis_server.url}")
        worker = sandbox.launch("cache-server")
        assert worker.wait() == ExitCode.CONFIGURATION
        assert "expected the file with the farm's secret" in worker.log


def test_a_secret_that_others_may_read_is_refused(redis_server: RedisServer) -> None:
    """As every file with a secret is."""
    with Sandbox() as sandbox:
        sandbox.configure(*sharing(sandbox, redis_server.url, "smtpd"))
        secret_file(sandbox).chmod(0o644)
        worker = sandbox.launch("cache-server")
        assert worker.wait() == ExitCode.CONFIGURATION
        assert "tlsmgr_farm_secret_file" in worker.log


def _credentials(sandbox: Sandbox, text: str) -> str:
    path = sandbox.root / "credentials"
    path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    path.write_text(text)
    return f"tlsmgr_redis_credentials_file = {path}"


def test_user_and_password_are_in_a_file(tmp_path: Path) -> None:
    """It may be root's alone; and the password is in no log."""
    options = ["requirepass hunter2", "user mail on >hunter2 ~tlsmgr:* +getrange +set +del +ping"]
    with (
        RedisServer(tmp_path / "redis", options, port=free_port()) as server,
        Sandbox(owner=UNPRIVILEGED_USER) as sandbox,
    ):
        lines = sharing(sandbox, server.tcp_url, "smtpd")
        sandbox.configure(*lines, _credentials(sandbox, "mail:hunter2\n"))
        worker = sandbox.start("cache-server")
        wait_for("shared store", lambda: _store_is_up(sandbox), evidence=lambda: worker.log)
        worker.stop()
        sandbox.configure(*lines, _credentials(sandbox, "mail:hunter3\n"))
        worker = sandbox.start("cache-server")
        worker.wait_for_log("refuses our user or password")
        assert not any("hunter" in each.log for each in sandbox.workers)


def test_credentials_that_are_none_are_an_error(redis_server: RedisServer) -> None:
    """The message says what was expected."""
    with Sandbox() as sandbox:
        lines = sharing(sandbox, redis_server.url, "smtpd")
        sandbox.configure(*lines, _credentials(sandbox, "\n"))
        worker = sandbox.launch("cache-server")
        assert worker.wait() == ExitCode.CONFIGURATION
        assert "expected one line, user:password or password" in worker.log


def test_a_store_named_later_is_used_after_a_restart(redis_server: RedisServer) -> None:
    """A reload says so, and goes on with this host's own sessions; one named no more is left at once."""
    with Sandbox() as sandbox:
        worker = sandbox.start("cache-server")
        sandbox.configure(*sharing(sandbox, redis_server.url, "smtpd"))
        worker.signal(signal.SIGHUP)
        worker.wait_for_log("when this process is restarted")
        assert _saves(sandbox)
        worker.stop()
        worker = sandbox.start("cache-server")
        wait_for("shared store", lambda: _store_is_up(sandbox))
        sandbox.configure()
        worker.signal(signal.SIGHUP)
        worker.wait_for_log("configuration read again")
        assert _saves(sandbox)
        assert worker.stop() == ExitCode.OK
        assert redis_server.keys() == []


def _saves(sandbox: Sandbox) -> bool:
    with sandbox.client() as client:
        return client.update(_SMTPD, b"id", b"session")


def test_what_was_just_saved_is_sent_before_a_worker_ends(redis_server: RedisServer) -> None:
    """Stopping takes no longer for it than a second."""
    with _host(redis_server) as sandbox:
        with sandbox.client() as client:
            for number in range(100):
                assert client.update(_SMTPD, b"%d" % number, b"session")
        (worker,) = sandbox.workers
        assert worker.stop() == ExitCode.OK
    assert len(redis_server.keys()) == 100


def test_the_doctor_tells_of_the_store(redis_server: RedisServer) -> None:
    """Whether it answers, and why not."""
    with _host(redis_server) as sandbox:
        assert f"shared store {redis_server.url}: answers".encode() in _doctor(sandbox)
        redis_server.kill()
        with sandbox.client() as client:
            for number in range(10):
                assert client.lookup(_SMTPD, b"%d" % number) is None
        assert b"cannot be reached" in _doctor(sandbox)


def _doctor(sandbox: Sandbox) -> bytes:
    return sandbox.command("doctor").stdout
