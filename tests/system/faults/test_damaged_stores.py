"""A store that is not as it was left: set aside at the start or in service, and nothing in it is obeyed."""

import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.storage.planting import plant
from tests.system.faults.claims import (
    RECOVERY_SECONDS,
    check_logged_once,
    check_recovery,
    check_what_is_always_answered,
    found,
    is_found,
    save,
    store_directory,
)
from tests.system.faults.conftest import Served
from tests.system.faults.damage import DATABASE, Rogue, execute, halve, overwrite, seeded, write

pytestmark = pytest.mark.system

IDS = [b"id %d" % number for number in range(40)]
PAGE_SIZE = 4096

Damage = Callable[[Path], None]


class Left:
    """A store with sessions in it, as a worker left it; a copy of it may be damaged and served."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.directory = store_directory(sandbox)
        self._original = sandbox.root / "original"
        sandbox.start("prng-server")
        worker = sandbox.start("cache-server")
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        assert worker.stop() == 0
        self.directory.rename(self._original)

    @contextmanager
    def served(self, damage: Damage) -> Iterator[RunningWorker]:
        """Serve a copy that was damaged before."""
        shutil.copytree(self._original, self.directory)
        damage(self.directory)
        worker = self.sandbox.launch("cache-server")
        try:
            worker.wait_until_ready()
            yield worker
        finally:
            worker.kill()
            for each in (self.directory, *self.set_aside()):
                shutil.rmtree(each)

    def set_aside(self) -> list[Path]:
        """Return what was set aside."""
        return list(self.sandbox.data.glob(f"{self.directory.name}.damaged-*"))


@pytest.fixture(scope="module")
def left() -> Iterator[Left]:
    """Give a store with sessions in it."""
    with Sandbox(caches=("smtpd",)) as sandbox:
        yield Left(sandbox)


def check_new_start(left: Left, worker: RunningWorker) -> None:
    """See that the store is set aside, once, and a new one is in its place."""
    check_what_is_always_answered(left.sandbox)
    wait_for("store set aside", left.set_aside, seconds=RECOVERY_SECONDS, evidence=lambda: worker.log)
    check_recovery(left.sandbox, worker)
    assert len(left.set_aside()) == 1
    check_logged_once(worker, "set aside as", "a new one is begun")


def test_undamaged(left: Left) -> None:
    """A store that nobody touched is served whole: what the other tests find is the damage's doing."""
    with left.served(lambda _: None):
        assert found(left.sandbox, IDS) == IDS
        assert left.set_aside() == []


def test_damaged_header(left: Left) -> None:
    """The database begins with anything."""
    with left.served(lambda directory: overwrite(directory / DATABASE, 0, b"\x5a" * 100)) as worker:
        assert found(left.sandbox, IDS) == []
        check_new_start(left, worker)


def test_damaged_page(left: Left) -> None:
    """One page is noise: what is found is right, and whoever meets the page has the store set aside."""
    seed, random_ = seeded()

    def spoil(directory: Path) -> None:
        pages = (directory / DATABASE).stat().st_size // PAGE_SIZE
        overwrite(directory / DATABASE, random_.randrange(pages) * PAGE_SIZE, random_.randbytes(PAGE_SIZE))

    with left.served(spoil) as worker:
        check_as_far_as_it_goes(left, worker, seed)


@pytest.mark.parametrize("flips", [1, 30, 1000])
def test_bytes_flipped_at_random(left: Left, flips: int) -> None:
    """Any bytes may be wrong: never a wrong session, never a worker that ends, and a way on."""
    seed, random_ = seeded()

    def spoil(directory: Path) -> None:
        data = bytearray((directory / DATABASE).read_bytes())
        for _ in range(flips):
            data[random_.randrange(len(data))] ^= random_.randrange(1, 256)
        (directory / DATABASE).write_bytes(data)

    with left.served(spoil) as worker:
        check_as_far_as_it_goes(left, worker, seed)


@pytest.mark.parametrize("what", ["name", "SQL", "setting"])
def test_schema_that_is_no_text(left: Left, what: str) -> None:
    """Names that are no UTF-8, which the database's own error messages quote."""

    def spoil(directory: Path) -> None:
        data = (directory / DATABASE).read_bytes()
        old = {"name": b"Cache_key_raw", "SQL": b"CREATE TABLE Cache", "setting": b"cull_limit"}[what]
        assert old in data
        (directory / DATABASE).write_bytes(data.replace(old, b"\xb1" * len(old)))

    with left.served(spoil) as worker:
        check_new_start(left, worker)


def test_truncated(left: Left) -> None:
    """The second half is missing."""
    with left.served(lambda directory: halve(directory / DATABASE)) as worker:
        found(left.sandbox, IDS)
        check_new_start(left, worker)


def test_text_file_in_its_place(left: Left) -> None:
    """Somebody put another file there."""
    with left.served(lambda directory: write(directory / DATABASE, b"These are my notes.\n" * 500)) as worker:
        assert found(left.sandbox, IDS) == []
        check_new_start(left, worker)
        (kept,) = left.set_aside()
        assert (kept / DATABASE).read_bytes().startswith(b"These are my notes.")


def test_directory_in_its_place(left: Left) -> None:
    """What is no file is not moved away by us; once it has gone, all goes on."""

    def replace(directory: Path) -> None:
        (directory / DATABASE).unlink()
        (directory / DATABASE).mkdir()

    with left.served(replace) as worker:
        check_what_is_always_answered(left.sandbox)
        assert not save(left.sandbox, b"before")
        check_logged_once(worker, "is a link or no plain file; remove it")
        (left.directory / DATABASE).rmdir()
        check_recovery(left.sandbox, worker)
        assert left.set_aside() == []


def test_foreign_schema(left: Left) -> None:
    """A trigger that somebody added never runs."""
    trigger = "CREATE TRIGGER planted AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END"
    with left.served(lambda directory: execute(directory, trigger)) as worker:
        check_new_start(left, worker)
        check_logged_once(worker, "'planted', which this program did not write")


def test_rogue_pickle(left: Left) -> None:
    """A planted pickle, as a value and as a key, is never run."""
    proof = left.sandbox.root / "executed"

    def plant_pickles(directory: Path) -> None:
        with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
            rogue = pickle.dumps(Rogue(str(proof)))
            plant(connection, key=b"rogue", mode=4, value=rogue, expire_time=1e11)
            plant(connection, key=rogue, raw=0, expire_time=1.0)

    with left.served(plant_pickles) as worker:
        sweep(left.sandbox)
        assert not is_found(left.sandbox, b"rogue")
        check_new_start(left, worker)
    assert not proof.exists()


def test_rogue_file_name(left: Left) -> None:
    """A row that names a file gets nothing of it to anybody, and does not get it removed."""
    victim = left.sandbox.root / "victim"
    victim.write_bytes(b"somebody else's")

    def plant_names(directory: Path) -> None:
        with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
            for key, expires_at in ((b"id a", 1e11), (b"id b", 1e11), (b"id c", 1.0)):
                plant(connection, key=key, mode=2, filename=str(victim), value=None, expire_time=expires_at)

    with left.served(plant_names) as worker:
        sweep(left.sandbox)
        assert save(left.sandbox, b"id b")
        assert not is_found(left.sandbox, b"id a")
        check_new_start(left, worker)
    assert victim.read_bytes() == b"somebody else's"


def test_power_loss(left: Left) -> None:
    """Each store that was in use when the machine went down is set aside; three of them are kept."""
    with left.served(lambda directory: write(directory / "cache.db.in-use-saver", b"another boot")) as first:
        assert found(left.sandbox, IDS) == []
        check_new_start(left, first)
        check_logged_once(first, "was in use when the machine went down")
        for _ in range(3):
            left.sandbox.workers[-1].kill()
            write(left.directory / "cache.db.in-use-saver", b"another boot")
            left.sandbox.start("cache-server")
        wait_for("removal of the oldest", lambda: len(left.set_aside()) == 3)
        left.sandbox.workers[-1].kill()


@pytest.mark.parametrize("damage", ["truncated", "replaced", "header"])
def test_damaged_in_service(served: Served, damage: str) -> None:
    """What happens to the file under a worker's hands is met at the next change, at the latest."""
    sandbox, worker = served.sandbox, served.cache_server
    check_recovery(sandbox, worker)
    assert all(save(sandbox, cache_id) for cache_id in IDS)
    path = store_directory(sandbox) / DATABASE
    if damage == "truncated":
        os.truncate(path, 0)
    elif damage == "replaced":
        write(path.with_name("other"), b"These are my notes.\n" * 500)
        path.with_name("other").rename(path)
    else:
        overwrite(path, 0, b"\x5a" * 100)
    check_what_is_always_answered(sandbox)
    found(sandbox, IDS)
    for number in range(5):
        save(sandbox, b"meanwhile %d" % number)
    check_recovery(sandbox, worker)


def sweep(sandbox: Sandbox) -> None:
    """Have a sweeper remove what has expired, or find why it cannot."""
    sweeper = sandbox.start("expiry-sweeper")
    try:
        wait_for("sweep", lambda: "smtpd" in sweeper.log, evidence=lambda: sweeper.log)
    finally:
        sweeper.kill()


def check_as_far_as_it_goes(left: Left, worker: RunningWorker, seed: int) -> None:
    """See that whatever damage was done, nothing is answered wrongly, and sessions are saved in the end."""
    try:
        found(left.sandbox, IDS)
        check_what_is_always_answered(left.sandbox)
        check_recovery(left.sandbox, worker)
        found(left.sandbox, IDS)
        assert len(left.set_aside()) <= 1
    except BaseException:
        print(f"random.Random({seed}) did the damage")  # noqa: T201 - to do it again
        raise
