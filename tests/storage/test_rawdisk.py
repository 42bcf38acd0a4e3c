import os
import pickle
import sqlite3
from pathlib import Path

import diskcache
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.planting import plant
from tlsmgr.errors import StoreDamagedError
from tlsmgr.storage.rawdisk import RawDisk, RefusedRowError
from tlsmgr.storage.sessions import Put, SessionStore

DISK = RawDisk("/nonexistent", min_file_size=0, pickle_protocol=0)


class Trap:
    """Its pickle makes a directory when it is read."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.victim),)


@given(st.binary(max_size=200))
def test_bytes_are_kept_inline_as_they_are(data: bytes) -> None:
    """Key and value come back; mode 1, no file, size 0, even where files were asked for."""
    assert DISK.get(bytes(DISK.put(data)[0]), DISK.put(data)[1]) == data
    size, mode, filename, value = DISK.store(data, read=False)
    assert (size, mode, filename) == (0, 1, None)
    assert DISK.fetch(mode, filename, bytes(value), read=False) == data


@pytest.mark.parametrize("thing", ["text", 7, 7.0, None, ("a",), bytearray(b"a"), memoryview(b"a")])
def test_only_bytes_are_written(thing: object) -> None:
    """Neither a key nor a value of another type is stored."""
    with pytest.raises(TypeError, match="must be bytes"):
        DISK.put(thing)
    with pytest.raises(TypeError, match="must be bytes"):
        DISK.store(thing, read=False)


def test_no_file_is_ever_named_or_read_from() -> None:
    """All three ways to a file that diskcache has are closed."""
    with pytest.raises(TypeError, match="open file"):
        DISK.store(b"data", read=True)
    with pytest.raises(RefusedRowError, match="file of its own"):
        DISK.filename()
    with pytest.raises(RefusedRowError, match="value"):
        DISK.fetch(1, None, b"data", read=True)


@pytest.mark.parametrize(
    ("mode", "filename", "value"),
    [
        (0, None, b"none"),
        (2, "a/b.val", None),
        (3, "a/b.val", None),
        (4, None, pickle.dumps(1)),
        (4, "a/b.val", None),
        (1, "a/b.val", b"data"),
        (1, None, "text"),
        (1, None, 7),
        (1, None, None),
        ("1", None, b"data"),
    ],
)
def test_any_other_value_is_refused(mode: object, filename: object, value: object) -> None:
    """Each mode that diskcache knows, and each type that SQLite knows."""
    with pytest.raises(OSError, match="refused"):
        DISK.fetch(mode, filename, value, read=False)


@pytest.mark.parametrize(("key", "raw"), [(pickle.dumps(1), 0), ("text", 1), (7, 1), (None, 1), (b"a", None)])
def test_any_other_key_is_refused(key: object, raw: object) -> None:
    """A pickled key (raw 0) is what runs when diskcache iterates."""
    with pytest.raises(OSError, match="refused"):
        DISK.get(key, raw)


@pytest.mark.parametrize("mode", [2, 3, 4])
def test_a_row_that_names_a_file_is_refused_and_leaves_the_file(
    store: SessionStore, intruder: sqlite3.Connection, tmp_path: Path, mode: int
) -> None:
    """Looked up, overwritten, swept: the file is neither read nor deleted."""
    victim = tmp_path / "victim"
    victim.write_bytes(pickle.dumps("secret"))
    plant(intruder, key=b"one", mode=mode, filename="../victim", value=None, size=1000)
    plant(intruder, key=b"two", mode=mode, filename=str(victim), value=None, size=1000)
    for name in (b"one", b"two"):
        with pytest.raises(StoreDamagedError):
            store.lookup(name, 150, 3600)
    assert store.apply([Put(cache_id=b"one", session=b"mine", stored_at=150, expires_at=190)]).done == [True]
    assert store.lookup(b"one", 150, 3600) == b"mine"
    assert len(store.remove_expired(1000)) == 2
    assert pickle.loads(victim.read_bytes()) == "secret"  # noqa: S301 - written above


def test_a_planted_pickle_is_refused_and_does_not_run(
    store: SessionStore, intruder: sqlite3.Connection, plain: diskcache.Cache, tmp_path: Path
) -> None:
    """CVE-2025-69872: by value, through our lookup and through diskcache's own methods."""
    sprung = tmp_path / "sprung"
    plant(intruder, mode=4, value=pickle.dumps(Trap(sprung)), expire_time=None)
    with pytest.raises(StoreDamagedError, match="did not write"):
        store.lookup(b"id", 150, 3600)
    assert plain.get(b"id") is None
    assert plain.pop(b"id") is None
    assert not sprung.exists()


def test_a_planted_pickled_key_does_not_run(
    store: SessionStore, intruder: sqlite3.Connection, plain: diskcache.Cache, tmp_path: Path
) -> None:
    """CVE-2025-69872: by key, on iteration, which nothing here does but diskcache can."""
    sprung = tmp_path / "sprung"
    key = pickle.dumps(Trap(sprung))
    plant(intruder, key=key, raw=0)
    for iterate in (iter, reversed, type(plain).iterkeys):
        with pytest.raises(RefusedRowError):
            list(iterate(plain))
    assert store.lookup(key, 150, 3600) is None
    assert not sprung.exists()


def test_the_trap_of_these_tests_works(tmp_path: Path) -> None:
    """The Disk of diskcache itself springs it, so the tests above test something."""
    sprung = tmp_path / "sprung"
    with diskcache.Cache(tmp_path / "cache") as cache:
        cache.set(b"id", Trap(sprung))
        assert not sprung.exists()
        cache.get(b"id")
    assert sprung.exists()


@pytest.mark.parametrize(
    "columns",
    [
        {"value": "text"},
        {"value": 7},
        {"value": None},
        {"mode": 0},
        {"store_time": None},
        {"store_time": "soon"},
        {"expire_time": None},
        {"expire_time": "never"},
        {"expire_time": b"never"},
    ],
)
def test_a_row_of_other_types_is_damage(
    store: SessionStore, intruder: sqlite3.Connection, columns: dict[str, object]
) -> None:
    """SQLite keeps any type in any column; we do not."""
    plant(intruder, **columns)
    with pytest.raises(StoreDamagedError):
        store.lookup(b"id", 150, 3600)


@pytest.mark.parametrize("key", ["id", 7, None])
def test_a_key_of_another_type_is_no_entry_of_ours(
    store: SessionStore, intruder: sqlite3.Connection, key: object
) -> None:
    """A text key is not the bytes that spell it, nor a number."""
    plant(intruder, key=key)
    assert store.lookup(b"id", 150, 3600) is None
    assert store.lookup(b"7", 150, 3600) is None
    assert store.lookup(b"", 150, 3600) is None
