"""The other files of the workers: removed, locked, or with a symbolic link in their place."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.system.faults.claims import (
    RECOVERY_SECONDS,
    check_logged_once,
    check_recovery,
    check_what_is_always_answered,
    is_found,
    save,
    store_directory,
)
from tlsmgr.errors import ExitCode

pytestmark = pytest.mark.system

CONTENT = b"somebody else's"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox whose exchange file is updated once a second."""
    with Sandbox(caches=("smtpd",)) as made:
        made.configure("tls_random_prng_update_period = 1s")
        yield made


@pytest.fixture
def victim(sandbox: Sandbox) -> Path:
    """Give a file that nobody may change."""
    path = sandbox.root / "victim"
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    return path


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


def test_symbolic_link_in_place_of_the_exchange_file(sandbox: Sandbox, victim: Path) -> None:
    """It is refused, and said so; seeds go on, and the file is made once the link has gone."""
    exchange_file(sandbox).symlink_to(victim)
    worker = sandbox.start("prng-server")
    worker.wait_for_log("it is a symbolic link; remove it, and the file is made again")
    assert sandbox.answers("prng-server")
    assert victim.read_bytes() == CONTENT
    exchange_file(sandbox).unlink()
    wait_for(
        "exchange file", exchange_file(sandbox).exists, seconds=RECOVERY_SECONDS, evidence=lambda: worker.log
    )


def test_symbolic_link_in_place_of_a_pid_file(sandbox: Sandbox, victim: Path) -> None:
    """The worker does not start, and says why."""
    sandbox.run.mkdir(mode=0o700)
    (sandbox.run / "cache-server.pid").symlink_to(victim)
    worker = sandbox.launch("cache-server")
    assert worker.wait() == ExitCode.HOST
    check_logged_once(worker, "cannot open pid file")
    assert victim.read_bytes() == CONTENT


@pytest.mark.parametrize("which", ["postfix", "rpc"])
def test_symbolic_link_in_place_of_a_socket(sandbox: Sandbox, victim: Path, which: str) -> None:
    """At the start it is an error; for a worker that runs, a warning until the link has gone."""
    path = sandbox.postfix_socket if which == "postfix" else sandbox.socket("cache-server")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.symlink_to(victim)
    refused = sandbox.launch("cache-server")
    assert refused.wait() == ExitCode.ADDRESS_IN_USE
    check_logged_once(refused, "a file that is no socket is there; move it away")
    path.unlink()
    worker = sandbox.start("cache-server")
    path.unlink()
    path.symlink_to(victim)
    worker.wait_for_log("a file that is no socket is there; move it away")
    assert victim.read_bytes() == CONTENT
    path.unlink()
    wait_for("socket", path.exists, evidence=lambda: worker.log)
    check_recovery(sandbox, worker)


def test_symbolic_link_in_place_of_the_ticket_key_file(sandbox: Sandbox, victim: Path) -> None:
    """It is not read; new keys are given out, and the next ones take the link's place."""
    path = sandbox.data / "tlsmgr_ticket_keys"
    path.symlink_to(victim)
    path.with_name(path.name + ".new").symlink_to(victim)
    worker = sandbox.start("cache-server")
    check_logged_once(worker, "it is a symbolic link; remove it")
    check_what_is_always_answered(sandbox)
    assert not path.is_symlink()
    assert path.stat().st_size < 1024
    assert victim.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "name",
    ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal", "cache.db.in-use-saver"],
)
def test_symbolic_link_in_place_of_a_file_of_a_store(sandbox: Sandbox, victim: Path, name: str) -> None:
    """The store is not used while it is there, and is without anybody's help afterwards."""
    worker = sandbox.start("cache-server")
    assert save(sandbox, b"before")
    assert worker.stop() == 0
    path = store_directory(sandbox) / name
    path.unlink(missing_ok=True)
    path.symlink_to(victim)
    check_refused(sandbox, sandbox.start("cache-server"), path, victim)


def check_refused(sandbox: Sandbox, worker: RunningWorker, link: Path, victim: Path) -> None:
    """See that the link is not followed and that a store comes to be used once it has gone."""
    check_what_is_always_answered(sandbox)
    assert not save(sandbox, b"meanwhile")
    assert str(store_directory(sandbox)) in worker.log
    assert victim.read_bytes() == CONTENT
    link.unlink()
    check_recovery(sandbox, worker)
    assert victim.read_bytes() == CONTENT


def test_symbolic_link_in_place_of_the_damage_mark(sandbox: Sandbox, victim: Path) -> None:
    """That it is there is what counts: the store is set aside, and what it points to is left alone."""
    worker = sandbox.start("cache-server")
    assert save(sandbox, b"before")
    (store_directory(sandbox) / "cache.db.damaged").symlink_to(victim)
    wait_for("new start", lambda: "a new one is begun" in worker.log, evidence=lambda: worker.log)
    check_recovery(sandbox, worker)
    assert victim.read_bytes() == CONTENT
