"""The other files of the workers: removed, or locked."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.system.faults.claims import (
    check_logged_once,
    check_recovery,
    check_what_is_always_answered,
    is_found,
    save,
)

pytestmark = pytest.mark.system


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox whose exchange file is updated once a second."""
    with Sandbox(caches=("smtpd",)) as made:
        made.configure("tls_random_prng_update_period = 1s")
        yield made


def exchange_file(sandbox: Sandbox) -> Path:
    """Return the file that the PRNG server updates."""
    return sandbox.data / "prng_exch"


def is_updated(path: Path) -> Callable[[], bool]:
    """Return what tells whether the file has got another content from now on."""
    former = path.read_bytes() if path.exists() else None
    return lambda: path.exists() and len(path.read_bytes()) == 1024 and path.read_bytes() != former


def test_exchange_file_removed(sandbox: Sandbox) -> None:
    """It is made again with the next update."""
    worker = sandbox.start("prng-server")
    wait_for("exchange file", exchange_file(sandbox).exists, evidence=lambda: worker.log)
    exchange_file(sandbox).unlink()
    assert sandbox.answers("prng-server")
    wait_for("new exchange file", exchange_file(sandbox).exists, evidence=lambda: worker.log)


def test_exchange_file_locked(sandbox: Sandbox) -> None:
    """Nobody waits for the lock; once it is free the file is updated."""
    worker = sandbox.start("prng-server")
    wait_for("exchange file", exchange_file(sandbox).exists, evidence=lambda: worker.log)
    with exchange_file(sandbox).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        worker.wait_for_log("is locked by another process")
        with sandbox.client("prng-server") as client:
            assert client.call("seed", 32)
    wait_for("update", is_updated(exchange_file(sandbox)), evidence=lambda: worker.log)


def test_socket_file_removed(sandbox: Sandbox) -> None:
    """The worker notices within a second or two, and listens there anew."""
    worker = sandbox.start("cache-server")
    for path in (sandbox.postfix_socket, sandbox.socket("cache-server")):
        path.unlink()
        wait_for("socket", path.exists, evidence=lambda: worker.log)
        worker.wait_for_log(f"{path} had gone")
        check_logged_once(worker, str(path), "had gone: listening there anew")
    check_recovery(sandbox, worker)
    assert sandbox.answers("cache-server")


def test_run_directory_removed(sandbox: Sandbox) -> None:
    """Postfix is served as ever; when the directory is there again, so are the workers' own sockets."""
    sandbox.start("prng-server")
    worker = sandbox.start("cache-server")
    shutil.rmtree(sandbox.run)
    check_what_is_always_answered(sandbox)
    assert save(sandbox, b"meanwhile")
    worker.wait_for_log("cache-server.sock has gone")
    sandbox.run.mkdir(mode=0o700)
    for name in ("cache-server", "prng-server"):
        wait_for("answer", partial(_answers, sandbox, name), evidence=lambda: worker.log)
        wait_for("pid file", (sandbox.run / f"{name}.pid").exists, evidence=lambda: worker.log)
    check_recovery(sandbox, worker)
    worker.kill()
    sandbox.start("cache-server")
    assert is_found(sandbox, b"meanwhile"), "the sealing key came from prng-server, as ever"


def _answers(sandbox: Sandbox, name: str) -> bool:
    return sandbox.socket(name).exists() and sandbox.answers(name)
