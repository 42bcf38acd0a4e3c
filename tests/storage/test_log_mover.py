import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.service.other_process import OtherProcess
from tests.storage.test_space import NOW, fill, fill_patiently, puts, reading
from tlsmgr.errors import StoreError
from tlsmgr.storage import database, log_mover
from tlsmgr.storage.log_mover import LogMover
from tlsmgr.storage.sessions import SessionStore

#: SQLite's own limit for a log, at which a commit moves it unless it is told not to.
PAGES_THAT_SQLITE_MOVES = 1000


def mover(store: SessionStore) -> LogMover:
    """Return what moves the store's log when that is long."""
    found = store._database._mover  # noqa: SLF001 - no other way leads to it
    assert found is not None
    return found


def rest(store: SessionStore) -> None:
    """Wait until nobody moves the store's log."""
    while mover(store).is_moving:
        time.sleep(0.001)


def _refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.fixture
def long_log(store: SessionStore, directory: Path, monkeypatch: pytest.MonkeyPatch) -> SessionStore:
    """Give a store with a log that only a thread moves, and that nobody reads any more."""
    monkeypatch.setattr(log_mover, "_HELD_SECONDS", 0.0)
    with reading(directory):
        fill(store, 1000)
        rest(store)
    assert store.log_backlog() > 300
    return store


def test_what_was_saved_counts_as_saved_when_no_thread_is_to_be_had(
    long_log: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at a user's limit of processes: the log is left for later, and moved when there is one again."""
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _refuse)
        epoch = long_log.epoch()
        assert long_log.apply(puts(1000, 1050)).done == [True] * 50
        assert not long_log.move_log()
        assert long_log.epoch() == epoch
    while long_log.log_backlog():
        long_log.release_space()
    rest(long_log)  # which is a moment longer than it takes to move the last page
    assert long_log.count() == 1050
    assert mover(long_log).failure is None


def test_a_store_without_a_thread_is_closed_as_ever(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that could not be started is not waited for."""
    with SessionStore(directory, checkpoints=True) as store, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _refuse)
        with reading(directory):
            fill(store, 1000)
        assert not store.move_log()
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 1000


def test_what_was_saved_counts_as_saved_when_the_log_cannot_be_moved(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit came before; whoever asks for a move is told."""

    def fail() -> bool:
        raise store._database.failure("move the log", sqlite3.OperationalError("disk I/O error"))  # noqa: SLF001 - its own

    monkeypatch.setattr(database, "_LOG_PAGES_LEFT", 0)
    monkeypatch.setattr(store._database, "move_log", fail)  # noqa: SLF001 - a disk that fails
    assert store.apply(puts(0, 1)).done == [True]
    fill(store, 1000)
    assert store.count() == 1000
    with pytest.raises(StoreError, match="move the log"):
        store.move_log()


@pytest.mark.parametrize("cause", ["not authorized", "can't start new thread"])
def test_a_log_that_cannot_be_moved_is_not_put_down_to_a_reader(
    long_log: SessionStore, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """Who reads what is wrong looks in the right place."""
    monkeypatch.setattr(database, "_LOG_PAGES_AT_MOST", 300)
    if "thread" in cause:
        monkeypatch.setattr(threading.Thread, "start", _refuse)
    else:
        connection = mover(long_log)._connection  # noqa: SLF001 - a fault that no other connection has
        connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        monkeypatch.setattr(log_mover, "_HELD_SECONDS", 60.0)
    with pytest.raises(StoreError, match=f"cannot move the log: {cause}"):
        fill_patiently(long_log, 1000, 2000)


def test_two_stores_at_one_directory_have_its_log_moved_by_one_at_a_time(
    store: SessionStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Caches that swap their directories have both open for a moment; SQLite before 3.51.3 asks for this."""
    let_go = threading.Event()
    with SessionStore(directory, checkpoints=True) as other:
        with reading(directory):
            fill(store, 1000)
            rest(store)
        with monkeypatch.context() as patch:
            patch.setattr(LogMover, "_move", lambda _: let_go.wait())
            assert mover(other).start()
        before = store.log_backlog()
        assert mover(store).is_moving
        assert store.move_log()
        assert store.log_backlog() == before > 0
        let_go.set()
    assert not mover(store).is_moving


def moved(store: SessionStore) -> int:
    """Return how many pages of the log are in the database."""
    return store._database._wal_index.moved()  # noqa: SLF001 - to open the file anew would drop our locks on it


@pytest.mark.parametrize("durably", [True, False])
def test_a_process_that_does_not_save_moves_nothing_of_the_log(
    store: SessionStore, directory: Path, *, durably: bool
) -> None:
    """Neither by a change nor by its end: in SQLite before 3.51.3, two that move one log may damage it."""
    fill(store, 100)
    store.move_log()
    store.apply(puts(0, 1))
    before, backlog = moved(store), store.log_backlog()
    assert backlog > 0  # else the next change, whoever makes it, begins the log anew

    with OtherProcess(directory) as other:
        for number in range(2000):
            other.put(b"other %d" % number, b"session", NOW - 2, NOW - 1)
            assert moved(store) == before
        for number in range(1000):
            other.remove(b"other %d" % number)
        other.sweep(NOW - 1)
        assert store.log_backlog() > backlog + 3 * PAGES_THAT_SQLITE_MOVES
        other.close(durably=durably)
    assert moved(store) == before

    while store.log_backlog():
        store.release_space()
    assert store.count() == 100
