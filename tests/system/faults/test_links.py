"""A symbolic link in place of a file of the workers: it is not followed, whoever put it there."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.sharing import sharing
from rehearsal.waiting import wait_for
from tests.system.faults.claims import (
    RECOVERY_SECONDS,
    check_logged_once,
    check_recovery,
    check_what_is_always_answered,
    save,
    store_directory,
)
from tests.system.faults.test_files import exchange_file
from tlsmgr.errors import ExitCode

pytestmark = pytest.mark.system

CONTENT = b"somebody else's"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox with one cache."""
    with Sandbox(caches=("smtpd",)) as made:
        yield made


@pytest.fixture
def victim(sandbox: Sandbox) -> Path:
    """Give a file that nobody may change."""
    path = sandbox.root / "victim"
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    return path


def planted(path: Path, victim: Path) -> Path:
    """Put a symbolic link to the victim at a path, and return the path."""
    path.symlink_to(victim)
    return path


def check_replaced(path: Path, victim: Path) -> None:
    """See that a file has taken the link's place, and that what the link led to is as before."""
    assert stat.S_ISREG(path.lstat().st_mode)
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert victim.read_bytes() == CONTENT


def test_symbolic_link_in_place_of_the_exchange_file(sandbox: Sandbox, victim: Path) -> None:
    """It is refused, and said so; seeds go on, and the file is made once the link has gone."""
    sandbox.configure("tls_random_prng_update_period = 1s")
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


def test_symbolic_link_in_place_of_the_former_ticket_key_names(sandbox: Sandbox, victim: Path) -> None:
    """It is not read, and said so; with the first keys the file takes its place."""
    path = planted(sandbox.data / "tlsmgr_former_ticket_keys", victim)
    planted(sandbox.data / "tlsmgr_former_ticket_keys.new", victim)
    worker = sandbox.start("cache-server")
    check_logged_once(worker, "not known which ticket keys there were", "symbolic links")
    check_what_is_always_answered(sandbox)
    check_replaced(path, victim)


def test_symbolic_link_in_place_of_the_kept_farm_keys(sandbox: Sandbox, victim: Path) -> None:
    """Without the shared store the host begins with a key of its own, which takes the link's place."""
    url = f"unix://{sandbox.root}/nobody.sock"
    sandbox.configure(*sharing(sandbox, url), f"tlsmgr_ticket_key_source = redis:{url}")
    path = planted(sandbox.data / "tlsmgr_farm_ticket_keys", victim)
    planted(sandbox.data / "tlsmgr_farm_ticket_keys.new", victim)
    worker = sandbox.start("cache-server")
    check_logged_once(worker, "begins without the farm's ticket keys", "symbolic links")
    check_what_is_always_answered(sandbox)
    wait_for("the file", lambda: not path.is_symlink(), evidence=lambda: worker.log)
    check_replaced(path, victim)


def test_symbolic_link_in_place_of_a_farms_secret(sandbox: Sandbox, victim: Path) -> None:
    """It is not read, and said so; the command and the worker put what they write in its place."""
    sandbox.configure("tlsmgr_ticket_key_source = ratchet:$data_directory/farm_secret")
    path = planted(sandbox.data / "farm_secret", victim)
    sandbox.start("prng-server")
    worker = sandbox.start("cache-server")
    worker.wait_for_log("farm_secret is a symbolic link; name the file itself")
    check_what_is_always_answered(sandbox)
    planted(path.with_name("farm_secret.new"), victim)
    secret = sandbox.command("farm", "new-secret").stdout
    assert sandbox.command("farm", "import", stdin=secret).returncode == 0
    check_replaced(path, victim)
    worker.wait_for_log("the file with the farm's secret can be used again")
    planted(path.with_name("farm_secret.new"), victim)
    before = path.read_bytes()
    assert sandbox.command("revoke").returncode == 0
    assert path.read_bytes() != before
    check_replaced(path, victim)


def test_symbolic_link_in_place_of_a_crash_record(sandbox: Sandbox, victim: Path) -> None:
    """It counts for nothing, and a record takes its place."""
    sandbox.run.mkdir(mode=0o700)
    planted(sandbox.run / "cache-server.crashes.new", victim)
    path = planted(sandbox.run / "cache-server.crashes", victim)
    sandbox.start("cache-server")
    check_what_is_always_answered(sandbox)
    check_replaced(path, victim)


def test_symbolic_link_in_place_of_the_mark_of_a_rotation(sandbox: Sandbox, victim: Path) -> None:
    """That it is there is what counts: a key is made, the former one decrypts, and the link goes."""
    sandbox.start("prng-server")
    worker = sandbox.start("cache-server")
    former = ticket_key(sandbox)
    assert worker.stop() == 0
    path = planted(sandbox.data / "tlsmgr_rotate_ticket_keys", victim)
    sandbox.start("cache-server")
    assert not path.is_symlink()
    assert ticket_key(sandbox) != former
    assert ticket_key(sandbox, former) == former
    assert victim.read_bytes() == CONTENT


def ticket_key(sandbox: Sandbox, name: bytes = b"") -> bytes:
    """Return the name of the key that is given out for this one's; of the present key without one."""
    with sandbox.client() as client:
        key = client.ticket_key(name)
    assert key is not None
    return key[:16]


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


def test_symbolic_link_in_place_of_the_directory_where_a_store_is_made(
    sandbox: Sandbox, victim: Path
) -> None:
    """What is in the directory that it leads to stays; the store is made once the link has gone."""
    theirs = victim.with_name("theirs")
    theirs.mkdir()
    victim.rename(theirs / "cache.db")
    store_directory(sandbox).mkdir(mode=0o700)
    link = store_directory(sandbox) / "cache.db.making"
    link.symlink_to(theirs)
    check_refused(sandbox, sandbox.start("cache-server"), link, theirs / "cache.db")


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
