"""SIGHUP with other directories for the caches."""

import signal
import sys
from pathlib import Path

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.service.stores import locked
from tlsmgr.client import CacheType
from tlsmgr.errors import ExitCode


def _use(sandbox: Sandbox, smtpd: str, smtp: str) -> None:
    sandbox.configure(
        f"smtpd_tls_session_cache_database = diskcache:$data_directory/{smtpd}",
        f"smtp_tls_session_cache_database = diskcache:$data_directory/{smtp}",
    )


def _locks(worker: RunningWorker, directory: Path) -> int:
    index = f":{(directory / 'cache.db-shm').stat().st_ino} "
    held = Path("/proc/locks").read_text().splitlines()
    return sum(index in line and f" {worker.pid} " in line for line in held)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's locks")
@pytest.mark.parametrize("name", ["cache-server", "expiry-sweeper"])
def test_two_caches_may_exchange_their_directories(sandbox: Sandbox, name: str) -> None:
    """Each store stays locked as one that is in use: another process would begin its index anew."""
    _use(sandbox, "a", "b")
    worker = sandbox.start(name)
    directories = [sandbox.data / each for each in "ab"]
    assert [_locks(worker, each) for each in directories] == [1, 1]
    _use(sandbox, "b", "a")

    worker.signal(signal.SIGHUP)

    worker.wait_for_log("configuration read again")
    with sandbox.client(name) as client:
        for _ in range(50):  # the former caches are closed between two of them
            client.call("ping")
    assert [_locks(worker, each) for each in directories] == [1, 1]
    assert worker.stop() == ExitCode.OK


def test_a_cache_is_given_up_without_waiting_for_a_lock(sandbox: Sandbox) -> None:
    """The store that it had is another process's to be done with; the new one serves."""
    worker = sandbox.start("cache-server")
    with sandbox.client() as client:
        assert client.update(CacheType.SMTPD, b"id", b"session")
        with locked(sandbox.data / "smtpd_scache"):
            _use(sandbox, "other", "smtp_scache")
            worker.signal(signal.SIGHUP)
            worker.wait_for_log("configuration read again")
            wait_for("update", lambda: client.update(CacheType.SMTPD, b"id", b"session"))
            assert client.lookup(CacheType.SMTPD, b"id") == b"session"
    assert (sandbox.data / "smtpd_scache" / "cache.db.in-use-saver").exists(), "not all is on the disk"
    assert worker.stop() == ExitCode.OK
