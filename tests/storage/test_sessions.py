import os
import sqlite3
import time
from pathlib import Path

import diskcache
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.planting import plant
from tlsmgr.errors import Status, StoreBusyError, StoreError
from tlsmgr.storage.sessions import Put, Remove, SessionStore, StoredSession

NOW = 1_700_000_000.25
HOUR = 3600


def put(cache_id: bytes, session: bytes = b"session", *, at: float = NOW, lives: float = HOUR) -> Put:
    """Return a Put that is good for ``lives`` seconds from ``at``."""
    return Put(cache_id=cache_id, session=session, stored_at=at, expires_at=at + lives)


def test_a_saved_session_is_found(store: SessionStore) -> None:
    """Under its own id, and no other."""
    assert store.apply([put(b"id", b"one")]).done == [True]
    assert store.lookup(b"id", NOW, HOUR) == b"one"
    assert store.lookup(b"ID", NOW, HOUR) is None
    assert store.find(b"id") == StoredSession(session=b"one", stored_at=NOW, expires_at=NOW + HOUR)


@given(st.binary(max_size=300), st.binary(max_size=300))
@settings(max_examples=30)
def test_any_bytes_are_an_id_and_a_session(
    tmp_path_factory: pytest.TempPathFactory, cache_id: bytes, session: bytes
) -> None:
    """Empty ones, null bytes and bytes that are no text included."""
    with SessionStore(tmp_path_factory.mktemp("any") / "store", checkpoints=True) as store:
        store.apply([put(cache_id, session)])
        assert store.lookup(cache_id, NOW, HOUR) == session
        assert store.lookup(cache_id + b"\0", NOW, HOUR) is None


def test_large_sessions_stay_in_the_database(store: SessionStore, directory: Path) -> None:
    """No value becomes a file, whatever its size."""
    session = os.urandom(300_000)
    store.apply([put(b"id", session)])
    assert store.lookup(b"id", NOW, HOUR) == session
    database, log, index = "cache.db", "cache.db-wal", "cache.db-shm"
    assert {path.name for path in directory.iterdir()} == {database, log, index, "cache.db.in-use-saver"}


@pytest.mark.parametrize(
    ("now", "timeout", "found"),
    [
        (NOW, 100, True),
        (NOW + 99.9, 100, True),
        (NOW + 100, 100, False),
        (NOW + 100, 1000, False),
        (NOW + 9.9, 10, True),
        (NOW + 10, 10, False),
        (NOW, 0, False),
    ],
)
def test_an_expired_session_is_never_found(
    store: SessionStore, now: float, timeout: int, *, found: bool
) -> None:
    """Neither after its own time nor after a timeout that was lowered since."""
    store.apply([put(b"id", lives=100)])
    assert (store.lookup(b"id", now, timeout) is not None) == found
    assert store.count() == 1


def test_removing_tells_whether_there_was_an_entry(store: SessionStore) -> None:
    """Expired or not, as in Postfix; and only once."""
    store.apply([put(b"fresh"), put(b"expired", at=NOW - 9999)])
    removals = [Remove(cache_id=name) for name in (b"fresh", b"unknown", b"expired", b"fresh")]
    assert store.apply(removals).done == [True, False, True, False]
    assert store.count() == 0


def test_changes_of_one_batch_are_made_in_their_order(store: SessionStore) -> None:
    """The last one to an id wins, and each removal sees what was before it."""
    remove = Remove(cache_id=b"id")
    answers = store.apply([remove, put(b"id", b"1"), put(b"id", b"2"), remove, remove, put(b"id", b"3")]).done
    assert answers == [False, True, True, True, False, True]
    assert store.lookup(b"id", NOW, HOUR) == b"3"
    assert store.count() == 1


def test_no_change_at_all_needs_no_lock(store: SessionStore, intruder: sqlite3.Connection) -> None:
    """An empty batch is done before it begins."""
    intruder.execute("BEGIN IMMEDIATE")
    assert store.apply([]).done == ()


def test_a_batch_that_fails_changes_nothing(store: SessionStore) -> None:
    """Neither the part before the failure nor the counters, and the next batch works."""
    store.apply([put(b"old", b"1")])
    bad = put(b"bad", ["x"])  # type: ignore[arg-type]  # what SQLite refuses to store
    with pytest.raises(StoreError):
        store.apply([put(b"new"), Remove(cache_id=b"old"), put(b"old", b"2"), bad])
    assert store.lookup(b"old", NOW, HOUR) == b"1"
    assert store.lookup(b"new", NOW, HOUR) is None
    assert store.count() == 1
    assert store.apply([put(b"new")]).done == [True]


def test_sweeping_removes_the_oldest_first_and_no_more_than_asked(store: SessionStore) -> None:
    """In steps, each a short transaction, until fewer go than asked for."""
    store.apply([put(b"%d" % number, lives=number) for number in range(1, 61)])
    assert store.expired_count(NOW + 40) == 40
    assert len(store.remove_expired(NOW + 40, 25)) == 25
    assert store.find(b"25") is None
    assert store.find(b"26") is not None
    assert len(store.remove_expired(NOW + 40, 10)) == 10
    assert len(store.remove_expired(NOW + 40)) == 5
    assert len(store.remove_expired(NOW + 40)) == 0
    assert (store.count(), store.expired_count(NOW + 40)) == (20, 0)


def test_entries_with_one_expiry_time_are_all_removed(store: SessionStore) -> None:
    """The expire() of diskcache itself skips such ties."""
    store.apply([put(b"%d" % number) for number in range(60)])
    assert [len(store.remove_expired(NOW + HOUR, 25)) for _ in range(4)] == [25, 25, 10, 0]
    assert store.count() == 0


def test_sweeping_uses_the_index(store: SessionStore) -> None:
    """A step costs the same at any size."""
    from tlsmgr.storage import statements  # noqa: PLC0415 - only here are they needed

    plan = store._database.connection.execute(  # noqa: SLF001 - the statement is the store's
        "EXPLAIN QUERY PLAN " + statements.DELETE_EXPIRED,
        (1, 1),
    ).fetchall()
    details = " ".join(row[3] for row in plan)
    assert "Cache_expire_time" in details
    assert "SCAN" not in details
    assert "TEMP B-TREE" not in details


def test_the_counters_are_those_of_diskcache(
    store: SessionStore, intruder: sqlite3.Connection, plain: diskcache.Cache
) -> None:
    """Its triggers count along, when planted rows of another size are overwritten too."""
    plant(intruder, key=b"planted", size=5000, filename="x", mode=2, value=None)
    store.apply([put(b"a"), put(b"a"), put(b"b"), Remove(cache_id=b"b"), put(b"planted")])
    assert store.count() == len(plain) == 2
    assert plain.reset("size") == 0
    assert plain.check() == []


def test_diskcache_finds_what_was_saved_and_the_other_way_round(
    store: SessionStore, plain: diskcache.Cache
) -> None:
    """The store is a diskcache directory, for whoever has diskcache and our Disk."""
    store.apply([put(b"ours", b"1", at=time.time())])
    assert plain.get(b"ours") == b"1"
    plain.set(b"theirs", b"2", expire=HOUR)
    assert store.lookup(b"theirs", time.time(), HOUR) == b"2"


def test_the_size_follows_what_is_stored(store: SessionStore) -> None:
    """It grows by about the data, and shrinks when entries go, though the file does not."""
    empty = store.size()
    store.apply([put(b"%d" % number, b"s" * 4000, lives=1) for number in range(100)])
    full = store.size()
    assert full - empty >= 400_000
    assert full - empty < 900_000
    while store.remove_expired(NOW + 2):
        pass
    assert store.size() <= empty + 8192


def test_damaged_counters_are_an_error(store: SessionStore, intruder: sqlite3.Connection) -> None:
    """Text where diskcache has a number is not handed on."""
    intruder.execute("UPDATE Settings SET value = 'many' WHERE key = 'count'")
    with pytest.raises(StoreError, match="counters are damaged"):
        store.count()


def test_a_locked_store_says_so_at_once_and_can_be_read(
    store: SessionStore, intruder: sqlite3.Connection, directory: Path
) -> None:
    """A change fails without waiting, and the same change works when the lock is gone."""
    store.apply([put(b"old")])
    intruder.execute("BEGIN IMMEDIATE")
    for change in (lambda: store.apply([put(b"new")]), lambda: store.remove_expired(NOW)):
        with pytest.raises(StoreBusyError, match=f"^session store {directory}: .*try again$") as caught:
            change()
        assert caught.value.status is Status.NOT_DONE
    assert store.lookup(b"old", NOW, HOUR) == b"session"
    assert store.count() == 1
    intruder.execute("ROLLBACK")
    assert store.apply([put(b"new")]).done == [True]


def test_a_lookup_sees_no_change_before_it_is_committed(
    store: SessionStore, intruder: sqlite3.Connection
) -> None:
    """Readers have a snapshot."""
    store.apply([put(b"id")])
    intruder.execute("BEGIN IMMEDIATE")
    intruder.execute("DELETE FROM Cache")
    assert store.lookup(b"id", NOW, HOUR) == b"session"
    intruder.execute("COMMIT")
    assert store.lookup(b"id", NOW, HOUR) is None


def test_a_lookup_leaves_no_snapshot_behind(store: SessionStore, directory: Path) -> None:
    """One that stayed open would keep the log from ever being started anew."""
    store.apply([put(b"id")])
    with SessionStore(directory, checkpoints=False) as reader:
        for find in (reader.find, reader.find):
            assert find(b"id") is not None
        # TRUNCATE succeeds (0) only when nobody reads from the log.
        checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
        busy = store._database.connection.execute(checkpoint).fetchone()[0]  # noqa: SLF001 - the one that checkpoints
    assert busy == 0


def test_a_store_with_patience_waits_for_the_lock(
    store: SessionStore, intruder: sqlite3.Connection, directory: Path
) -> None:
    """For as long as it was told to, as the sweeper may: it is nobody's event loop."""
    store.apply([put(b"id")])
    with SessionStore(directory, checkpoints=False, lock_wait=0.05) as patient:
        intruder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreBusyError):
            patient.remove_expired(NOW + HOUR)
        assert time.monotonic() - began >= 0.05
        intruder.execute("ROLLBACK")
        assert len(patient.remove_expired(NOW + HOUR)) == 1


def test_two_stores_on_one_directory_see_each_other(store: SessionStore, directory: Path) -> None:
    """What one committed, the other finds."""
    with SessionStore(directory, checkpoints=False) as other:
        store.apply([put(b"id")])
        assert other.lookup(b"id", NOW, HOUR) == b"session"
        assert len(other.remove_expired(NOW + HOUR)) == 1
        assert store.find(b"id") is None


def test_what_was_saved_is_there_after_reopening(directory: Path) -> None:
    """A store outlives its process."""
    with SessionStore(directory, checkpoints=True) as store:
        store.apply([put(b"id")])
    with SessionStore(directory, checkpoints=True) as store:
        assert store.lookup(b"id", NOW, HOUR) == b"session"
