import os
import random
import resource
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.service.stores import locked
from tests.storage.planting import plant
from tlsmgr.errors import StoreBusyError, StoreDamagedError, StoreError
from tlsmgr.storage.quarantine import REMOVAL, mark_in_use, set_aside
from tlsmgr.storage.sessions import Put, SessionStore

NOW = 1_700_000_000.0


def fill(directory: Path, entries: int = 200) -> None:
    """Make a store that has some entries, and close it."""
    with SessionStore(directory, checkpoints=True) as store:
        store.apply([entry(number) for number in range(entries)])


def sweep(store: SessionStore, now: float) -> None:
    """Remove all that has expired."""
    while store.remove_expired(now):
        pass


def entry(number: int) -> Put:
    """Return an entry; those with numbers that are near are not."""
    name = (number * 7919 % 100_000).to_bytes(4, "big")
    return Put(cache_id=name, session=b"s" * 400, stored_at=NOW, expires_at=NOW + number)


def aside(directory: Path) -> list[Path]:
    """Return what was set aside for a directory."""
    return sorted(directory.parent.glob(f"{directory.name}.damaged-*"))


def await_removals() -> None:
    """Wait until what is not kept is removed."""
    for thread in threading.enumerate():
        if thread.name == REMOVAL:
            thread.join()


def statement(sql: str) -> Callable[[Path], None]:
    """Return what runs a statement in a store's database."""

    def run(directory: Path) -> None:
        with closing(sqlite3.connect(directory / "cache.db")) as connection:
            connection.executescript(sql)

    return run


def overwrite(offset: int, data: bytes) -> Callable[[Path], None]:
    """Return what writes bytes into the file of a store's database."""

    def run(directory: Path) -> None:
        with (directory / "cache.db").open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return run


def truncate(size: int) -> Callable[[Path], None]:
    """Return what cuts the file of a store's database off."""

    def run(directory: Path) -> None:
        os.truncate(directory / "cache.db", size)

    return run


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(overwrite(0, b"no database" * 1000), id="no database"),
        pytest.param(overwrite(0, bytes(100)), id="header of zeros"),
        pytest.param(overwrite(18, b"\x07\x07"), id="file format of a later SQLite"),
        pytest.param(overwrite(44, b"\0\0\0\x09"), id="schema format of a later SQLite"),
        pytest.param(overwrite(8192, b"\xff" * 8192), id="first pages after the schema"),
        pytest.param(truncate(0), id="empty file"),
        pytest.param(truncate(6000), id="truncated"),
        pytest.param(statement("CREATE TRIGGER spy AFTER INSERT ON Cache BEGIN SELECT 1; END"), id="foreign"),
        pytest.param(
            statement(
                "DROP TRIGGER Settings_count_insert;"
                "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END"
            ),
            id="foreign trigger of a known name",
        ),
        pytest.param(statement("CREATE TABLE other (x)"), id="foreign table"),
        pytest.param(statement("CREATE VIEW other AS SELECT * FROM Cache"), id="foreign view"),
        pytest.param(statement("CREATE INDEX other ON Cache (store_time)"), id="foreign index"),
        pytest.param(statement("INSERT INTO Settings VALUES ('sqlite_evil', 1)"), id="foreign pragma"),
        pytest.param(statement("INSERT INTO Settings VALUES ('_disk', 1)"), id="foreign setting"),
        pytest.param(statement("DROP INDEX Cache_expire_time"), id="missing index"),
        pytest.param(statement("DELETE FROM Settings WHERE key = 'count'"), id="missing counter"),
    ],
)
def test_a_damaged_store_is_set_aside_by_the_one_that_saves(
    directory: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    """Whole, as it is, and with one line in the log; another process leaves it alone meanwhile."""
    fill(directory)
    harm(directory)
    with pytest.raises(StoreDamagedError, match=f"session store {directory}: "):
        SessionStore(directory, checkpoints=False)
    assert aside(directory) == []

    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 0
        assert store.apply([entry(1)]).done == [True]
    (moved,) = aside(directory)
    assert (moved / "cache.db").exists()
    assert caplog.text.count("set aside as") == 1
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 1
    assert aside(directory) == [moved]


@pytest.mark.parametrize("saves", [True, False])
def test_damage_that_shows_later_is_mended_by_the_next_opening(directory: Path, *, saves: bool) -> None:
    """Whoever finds it, since the mark that it leaves is seen by the one that saves."""
    fill(directory, 2000)
    size = (directory / "cache.db").stat().st_size
    overwrite(40_960, b"\xff" * (size - 40_960))(directory)
    with SessionStore(directory, checkpoints=True) as saver:
        with SessionStore(directory, checkpoints=saves) as finder, pytest.raises(StoreDamagedError):
            sweep(finder, NOW + 2000)
        with pytest.raises(StoreDamagedError):
            saver.release_space()
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 0
    assert len(aside(directory)) == 1


def test_damaged_counters_are_damage(store: SessionStore, intruder: sqlite3.Connection) -> None:
    """Text where diskcache has a number is not handed on."""
    intruder.execute("UPDATE Settings SET value = 'many' WHERE key = 'count'")
    with pytest.raises(StoreDamagedError, match="counters are damaged"):
        store.count()


def test_a_planted_row_is_damage(store: SessionStore, intruder: sqlite3.Connection, directory: Path) -> None:
    """Who can write one can write anything."""
    plant(intruder, mode=4, value=b"a pickle")
    with pytest.raises(StoreDamagedError, match="did not write"):
        store.find(b"id")
    store.close()
    intruder.close()
    with SessionStore(directory, checkpoints=True) as other:
        assert other.find(b"id") is None
    assert len(aside(directory)) == 1


def test_another_process_notices_that_its_store_was_set_aside(directory: Path) -> None:
    """It would go on with the old one for good, by its descriptors."""
    with SessionStore(directory, checkpoints=False) as sweeper:
        set_aside(directory, NOW, "test")
        with pytest.raises(StoreDamagedError):
            sweeper.remove_expired(NOW)
    with SessionStore(directory, checkpoints=False) as sweeper:
        assert sweeper.remove_expired(NOW) == []


def test_three_are_kept(directory: Path, tmp_path: Path) -> None:
    """The last ones; nothing else goes."""
    bystander = tmp_path / f"{directory.name}.damaged-by-rats"
    bystander.mkdir()
    for second in (0, 0, 1, 2, 3):
        fill(directory, 1)
        set_aside(directory, NOW + second, "test")
    await_removals()
    names = [each.name.removeprefix(f"{directory.name}.damaged-") for each in aside(directory)]
    assert names == ["20231114T221321Z", "20231114T221322Z", "20231114T221323Z", "by-rats"]


def test_the_clock_set_back_does_not_make_the_last_one_the_oldest(directory: Path) -> None:
    """What was set aside last stays, whatever time its name tells."""
    for hour in (3, 2, 1, 0):
        fill(directory, 1)
        set_aside(directory, NOW + 3600 * hour, "test")
    await_removals()
    names = [each.name.removeprefix(f"{directory.name}.damaged-") for each in aside(directory)]
    assert names == ["20231114T221320Z", "20231114T231320Z", "20231115T001320Z"]


def test_what_is_no_part_of_a_store_is_not_removed(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody put it there; the log says so."""
    fill(directory, 1)
    (directory / "notes").write_text("mine")
    old = set_aside(directory, NOW, "test")
    for second in (1, 2, 3):
        fill(directory, 1)
        set_aside(directory, NOW + second, "test")
    await_removals()
    assert [each.name for each in old.iterdir()] == ["notes"]
    assert "cannot remove the directory" in caplog.text


def test_a_link_among_those_set_aside_is_not_followed(directory: Path, tmp_path: Path) -> None:
    """What it leads to stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "cache.db").write_text("mine")
    (tmp_path / f"{directory.name}.damaged-20000101T000000Z").symlink_to(elsewhere)
    for second in range(3):
        fill(directory, 1)
        set_aside(directory, NOW + second, "test")
    await_removals()
    assert (elsewhere / "cache.db").read_text() == "mine"


def boot(tmp_path: Path, identity: str) -> Path:
    """Return a file as the kernel has one, of a boot with this identity."""
    path = tmp_path / identity
    path.write_text(identity + "\n")
    return path


@pytest.mark.parametrize("saves", [True, False])
def test_a_store_that_was_in_use_when_the_machine_went_down_is_set_aside(
    directory: Path, tmp_path: Path, *, saves: bool
) -> None:
    """Whichever process had it open: what was written may be there in part."""
    first, second = boot(tmp_path, "first"), boot(tmp_path, "second")
    with SessionStore(directory, checkpoints=saves, boot_id=first) as store:
        store.apply([entry(1)])
        store.close(durably=False)
    with SessionStore(directory, checkpoints=True, boot_id=first) as store:
        assert store.count() == 1
    with pytest.raises(StoreDamagedError, match="machine went down"):
        SessionStore(directory, checkpoints=False, boot_id=second)
    with SessionStore(directory, checkpoints=True, boot_id=second) as store:
        assert store.count() == 0
    assert len(aside(directory)) == 1


@pytest.mark.parametrize("last", [True, False])
def test_a_store_that_was_closed_outlives_the_machine(directory: Path, tmp_path: Path, *, last: bool) -> None:
    """By both processes, in either order; one alone is not enough."""
    first, second, third = (boot(tmp_path, name) for name in ("first", "second", "third"))
    stores = {saves: SessionStore(directory, checkpoints=saves, boot_id=first) for saves in (True, False)}
    stores[True].apply([entry(number) for number in range(50)])
    stores[False].remove_expired(NOW + 9)
    stores[not last].close()
    with pytest.raises(StoreDamagedError):
        SessionStore(directory, checkpoints=False, boot_id=second)
    stores[last].close()
    assert {each.name for each in directory.iterdir()} == {"cache.db"}
    with SessionStore(directory, checkpoints=True, boot_id=third) as store:
        assert store.count() == 40
    assert aside(directory) == []


def test_a_store_is_trusted_where_nothing_tells_the_boot(directory: Path, tmp_path: Path) -> None:
    """Without /proc, a reboot cannot be seen."""
    for _ in range(2):
        with SessionStore(directory, checkpoints=True, boot_id=tmp_path / "missing") as store:
            store.apply([entry(1)])
            assert store.count() == 1
    assert aside(directory) == []


@pytest.mark.parametrize(
    "name", ["cache.db.in-use-saver", "cache.db.in-use-other", "cache.db.in-use-saver.new"]
)
def test_an_empty_mark_is_none(directory: Path, name: str) -> None:
    """A disk that was full, or a process that was killed, left it: the store is a good one."""
    fill(directory, 10)
    (directory / name).touch(mode=0o600)
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 10
    assert aside(directory) == []


def test_a_mark_that_cannot_be_written_is_not_there(directory: Path) -> None:
    """Not even an empty one, when the disk or a limit takes no byte more."""
    directory.mkdir(mode=0o700)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    place = os.open(directory, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, former[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            mark_in_use(place, saves=True, boot="this one")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        os.close(place)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_is_got_over(directory: Path, seed: int) -> None:
    """Whatever bytes are changed: no error but ours, and after a few attempts a store that works."""
    chance = random.Random(seed)  # noqa: S311 - places to damage
    fill(directory, 300)
    path = directory / "cache.db"
    size = path.stat().st_size
    size = chance.choice([100, size])
    for _ in range(chance.choice([1, 4, 50])):
        overwrite(chance.randrange(size), chance.randbytes(chance.choice([1, 2, 16])))(directory)
    for _ in range(4):
        with suppress(StoreError), SessionStore(directory, checkpoints=True) as store:
            for number in range(300):
                store.find(entry(number).cache_id)
            store.apply([entry(number) for number in range(0, 400, 7)])
            sweep(store, NOW + 200)
            store.count()
            break
    else:
        pytest.fail(f"seed {seed}: never works again")


def test_what_is_not_damage_is_not_set_aside(directory: Path) -> None:
    """A full disk, a lock, a directory that is not ours alone."""
    fill(directory)
    with SessionStore(directory, checkpoints=True) as store:
        connection = store._database.connection  # noqa: SLF001 - to make the disk look full
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(StoreError, match="free some space"):
            store.apply([Put(cache_id=b"x", session=bytes(100_000), stored_at=NOW, expires_at=NOW)])
    directory.chmod(0o777)
    with pytest.raises(StoreError, match="lets others write"):
        SessionStore(directory, checkpoints=True)
    directory.chmod(0o700)
    with SessionStore(directory, checkpoints=True) as store, locked(directory), pytest.raises(StoreBusyError):
        store.apply([entry(1)])
    assert aside(directory) == []
