"""A disk that is full, read-only, failing, or has lost the store: answers go on, and then the saving."""

import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.system.faults.claims import (
    check_logged_once,
    check_recovery,
    check_what_is_always_answered,
    found,
    save,
    store_directory,
)
from tests.system.faults.conftest import Served
from tests.system.faults.mounts import fill, mounted
from tests.system.shim import Shim
from tlsmgr.errors import Status

pytestmark = pytest.mark.system

IDS = [b"id %d" % number for number in range(10)]


@contextmanager
def store_on_its_own_disk(*mount: str) -> Iterator[tuple[Sandbox, RunningWorker, Path]]:
    """Run a cache server whose store is below a place where something is mounted."""
    with Sandbox(caches=()) as sandbox:
        disk = sandbox.data / "disk"
        disk.mkdir()
        sandbox.configure(f"smtpd_tls_session_cache_database = diskcache:{disk}/smtpd")
        with mounted(disk, *(argument.format(disk=disk) for argument in mount)):
            yield sandbox, sandbox.start("cache-server"), disk


def test_full_disk() -> None:
    """Sessions are found, and not saved until there is space."""
    with store_on_its_own_disk("-t", "tmpfs", "-o", "size=1m,mode=0700", "none") as (sandbox, worker, disk):
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        filler = fill(disk)
        # Pages that are free in the log and in the database take a little more.
        refused = [number for number in range(60) if not save(sandbox, b"more %d" % number)]
        assert refused
        assert found(sandbox, IDS) == IDS
        check_what_is_always_answered(sandbox)
        check_logged_once(worker, "full; free some space")
        filler.unlink()
        check_recovery(sandbox, worker)
        assert found(sandbox, IDS) == IDS


def test_restarted_on_a_full_disk() -> None:
    """Each of the workers starts, and answers; what was saved is found again, at the latest with space."""
    with (
        Sandbox(caches=("smtpd",)) as sandbox,
        mounted(sandbox.data, "-t", "tmpfs", "-o", "size=2m,mode=0700", "none"),
    ):
        workers = {name: sandbox.start(name) for name in ("prng-server", "cache-server", "expiry-sweeper")}
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        filler = fill(sandbox.data)
        for name, worker in workers.items():
            worker.kill()
            workers[name] = sandbox.start(name)
        check_what_is_always_answered(sandbox)
        filler.unlink()
        check_recovery(sandbox, workers["cache-server"])
        assert found(sandbox, IDS) == IDS


def test_no_inode_left() -> None:
    """A disk that takes no new file is as good as a full one."""
    mount = ("-t", "tmpfs", "-o", "size=1m,nr_inodes=2,mode=0700", "none")
    with store_on_its_own_disk(*mount) as (sandbox, worker, _):
        check_what_is_always_answered(sandbox)
        assert found(sandbox, IDS) == []
        assert not save(sandbox, b"before")
        check_logged_once(worker, "smtpd: cannot")


def test_read_only_file_system() -> None:
    """A store that cannot be written is said to be so, and used once it can."""
    with Sandbox(caches=("smtpd",)) as sandbox:
        store = store_directory(sandbox)
        worker = sandbox.start("cache-server")
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        worker.kill()
        with mounted(store, "-o", "bind,ro", str(store)):
            worker = sandbox.start("cache-server")
            check_what_is_always_answered(sandbox)
            found(sandbox, IDS)
            assert not save(sandbox, b"before")
            check_logged_once(worker, "ead-only")
        check_recovery(sandbox, worker)


def test_input_output_errors(tmp_path: Path) -> None:
    """A disk that answers nothing: what memory has is found, until the store could be opened again."""
    shim = Shim(tmp_path)
    with Sandbox(caches=("smtpd",)) as sandbox:
        worker = sandbox.start("cache-server", **shim.environment)
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        shim.use(fails_io=True)
        assert found(sandbox, IDS) == IDS
        assert not save(sandbox, b"before")
        check_what_is_always_answered(sandbox)
        found(sandbox, [*IDS, b"before", b"unknown"])
        check_logged_once(worker, "check the disk, its free space and the kernel's log")
        shim.use()
        check_recovery(sandbox, worker)
        assert found(sandbox, IDS) == IDS


def test_disk_that_takes_long(tmp_path: Path) -> None:
    """It has each new ticket key in the end, and nobody waits for it but who revokes, and for 3 s."""
    shim = Shim(tmp_path)
    with Sandbox(caches=("smtpd",)) as sandbox:
        key_file = sandbox.root / "key"
        key_file.write_text(secrets.token_hex(32))
        key_file.chmod(0o600)
        sandbox.configure(f"tlsmgr_sealing_key_file = {key_file}")
        worker = sandbox.start("cache-server", **shim.environment)
        check_what_is_always_answered(sandbox)
        wait_for("sync of the ticket keys", shim.syncs)
        shim.use(sync_milliseconds=20_000)
        with sandbox.client() as client:
            assert client.call("rotate") == {"status": Status.OK}
            check_what_is_always_answered(sandbox)
            match client.call("revoke"):
                case {"failures": {"ticket keys": reason}}:
                    assert reason == "the disk has not taken it within 3 s"
                case other:
                    pytest.fail(f"revoked: {other}")
        check_what_is_always_answered(sandbox)
        assert worker.stop() == 0
        # To who revoked, and at the end.
        assert worker.log.count("the disk has not taken it within 3 s") == 2


def test_locked_by_another_process(served: Served) -> None:
    """Readers do not wait for the lock; a change waits for a second, and is then not saved."""
    sandbox, worker = served.sandbox, served.cache_server
    assert all(save(sandbox, cache_id) for cache_id in IDS)
    database = store_directory(sandbox) / "cache.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert not save(sandbox, b"before")
        assert found(sandbox, [*IDS, b"unknown"]) == IDS
        check_what_is_always_answered(sandbox)
        check_logged_once(worker, "locked by another")
        other.execute("ROLLBACK")
    check_recovery(sandbox, worker)
    assert found(sandbox, IDS) == IDS


@pytest.mark.parametrize("what", ["removed", "renamed"])
def test_directory_gone(served: Served, what: str) -> None:
    """A store whose directory is removed or renamed is begun anew."""
    sandbox, worker = served.sandbox, served.cache_server
    store = store_directory(sandbox)
    check_recovery(sandbox, worker)
    assert all(save(sandbox, cache_id) for cache_id in IDS)
    other = store.with_name("moved away")
    store.rename(other)
    if what == "removed":
        shutil.rmtree(other)
    check_what_is_always_answered(sandbox)
    found(sandbox, IDS)
    save(sandbox, b"before")
    check_recovery(sandbox, worker)
    assert store.is_dir()
    shutil.rmtree(other, ignore_errors=True)


def test_symbolic_link_in_place_of_the_directory(served: Served) -> None:
    """It is not followed, and said so; once it has gone, a new store is begun."""
    sandbox, worker = served.sandbox, served.cache_server
    store = store_directory(sandbox)
    check_recovery(sandbox, worker)
    elsewhere = sandbox.root / "elsewhere"
    store.rename(elsewhere)
    store.symlink_to(elsewhere)
    check_what_is_always_answered(sandbox)
    save(sandbox, b"before")
    worker.wait_for_log("is a symbolic link; name the directory itself")
    with closing(sqlite3.connect(elsewhere / "cache.db")) as there:
        assert there.execute("SELECT count(*) FROM Cache WHERE key = ?", (b"before",)).fetchone() == (0,)
    store.unlink()
    check_recovery(sandbox, worker)
    shutil.rmtree(elsewhere)
