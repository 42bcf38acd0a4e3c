import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.storage.test_quarantine import statement
from tlsmgr.errors import StoreBusyError, StoreHeldError
from tlsmgr.storage import database, log_mover
from tlsmgr.storage.sessions import BACKLOG_TO_MOVE, Put, SessionStore

NOW = 1000.0


def puts(start: int, end: int) -> list[Put]:
    """Return entries of some size that expire in their order."""
    return [
        Put(cache_id=b"%d" % (n * 7919 % 100_003), session=b"s" * 2000, stored_at=NOW, expires_at=NOW + n)
        for n in range(start, end)
    ]


def fill(store: SessionStore, entries: int) -> None:
    """Save that many entries, in small groups."""
    for start in range(0, entries, 50):
        store.apply(puts(start, start + 50))


def sweep(store: SessionStore) -> None:
    """Remove all there is."""
    while store.remove_expired(1e9):
        pass


def test_freed_space_is_given_back_in_steps(store: SessionStore, directory: Path) -> None:
    """Until a little is left for what comes next; what is stored stays as it is."""
    fill(store, 3000)
    full = (directory / "cache.db").stat().st_size
    while store.count() > 20:
        store.remove_expired(NOW + 2979)
    steps = 0
    while store.release_space(32):
        steps += 1
    assert steps > 20
    fill(store, 50)  # a checkpoint cuts the file off
    fill(store, 200)
    assert (directory / "cache.db").stat().st_size < full / 2
    assert store.find(puts(2990, 2991)[0].cache_id) is not None
    (check,) = store._database.connection.execute("PRAGMA integrity_check").fetchone()  # noqa: SLF001 - SQLite's own
    assert check == "ok"


def test_some_free_space_is_kept(store: SessionStore, directory: Path) -> None:
    """What a store of that size takes again at once is not given back."""
    fill(store, 400)
    while store.count() > 100:
        store.remove_expired(NOW + 299)
    size = (directory / "cache.db").stat().st_size
    assert store.release_space() in {True, False}
    assert not store.release_space()
    assert (directory / "cache.db").stat().st_size == size


def test_giving_back_is_no_change_to_who_remembers(store: SessionStore) -> None:
    """The epoch stays: no session has become another."""
    fill(store, 2000)
    sweep(store)
    while store.log_backlog() >= BACKLOG_TO_MOVE:
        assert store.release_space()
    epoch = store.epoch()
    assert store.release_space()
    assert store.epoch() == epoch


def test_a_database_without_the_means_keeps_its_space(directory: Path) -> None:
    """One that was made before they were chosen goes on as it was."""
    with SessionStore(directory, checkpoints=True):
        pass
    statement("PRAGMA journal_mode = delete; PRAGMA auto_vacuum = 0; VACUUM; PRAGMA journal_mode = wal")(
        directory
    )
    with SessionStore(directory, checkpoints=True) as store:
        fill(store, 1000)
        sweep(store)
        while store.log_backlog() >= BACKLOG_TO_MOVE:
            store.release_space()
        size = (directory / "cache.db").stat().st_size
        assert not store.release_space()
        assert (directory / "cache.db").stat().st_size == size


def test_the_log_of_another_process_is_moved_when_nothing_is_saved(
    store: SessionStore, directory: Path
) -> None:
    """By upkeep: the sweeper alone would let it grow."""
    fill(store, 2000)
    with SessionStore(directory, checkpoints=False) as sweeper:
        while sweeper.log_backlog() < BACKLOG_TO_MOVE:
            assert sweeper.remove_expired(1e9)
        assert not sweeper.remove_expired(0)
        epoch = store.epoch()
        assert store.release_space()
        assert store.epoch() == epoch
        assert sweeper.log_backlog() == 0


@contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Read from the database for as long, so that nothing more of its log can be moved."""
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM Cache").fetchone()
        yield
        reader.execute("ROLLBACK")


def fill_patiently(store: SessionStore, start: int, end: int) -> None:
    """Save entries as the cache server does, which tries again what was in the way of another."""
    for each in range(start, end, 50):
        while True:
            try:
                store.apply(puts(each, each + 50))
                break
            except StoreBusyError:
                time.sleep(0.001)


def test_the_log_is_bounded_under_a_long_reader(
    store: SessionStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing more is saved, and what was saved is found; it ends when the reader does."""
    monkeypatch.setattr(database, "_LOG_PAGES_AT_MOST", 1000)
    fill(store, 100)
    with reading(directory):
        with pytest.raises(StoreHeldError, match="end that process"):
            fill_patiently(store, 0, 100_000)
        assert (directory / "cache.db-wal").stat().st_size < 1300 * 4200
        saved = store.count()
        assert saved % 50 == 0
        assert store.find(puts(saved - 1, saved)[0].cache_id) is not None
    monkeypatch.setattr(log_mover, "_HELD_SECONDS", 0.0)
    while store.log_backlog() >= 1000:
        store.release_space()
    fill_patiently(store, saved, saved + 50)
    assert store.count() == saved + 50


def test_a_long_log_is_moved_while_the_store_goes_on(
    store: SessionStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a thread, without a lookup or a change that waits for it; nothing of it is lost."""
    monkeypatch.setattr(log_mover, "_HELD_SECONDS", 0.0)
    with reading(directory):
        fill(store, 5000)
    long = store.log_backlog()
    assert long > 1000
    assert store.move_log()
    saved = 5000
    while store.log_backlog() > long // 2:
        store.apply(puts(saved, saved + 1))
        assert store.find(puts(saved, saved + 1)[0].cache_id) is not None
        saved += 1
    assert store.count() == saved
    (check,) = store._database.connection.execute("PRAGMA integrity_check").fetchone()  # noqa: SLF001 - SQLite's own
    assert check == "ok"


def test_a_store_is_closed_while_its_log_is_moved(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was saved is there when it is opened again."""
    monkeypatch.setattr(log_mover, "_HELD_SECONDS", 0.0)
    with SessionStore(directory, checkpoints=True) as store:
        with reading(directory):
            fill(store, 5000)
        assert store.move_log()
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 5000


def test_a_log_that_is_held_is_not_tried_all_the_time(store: SessionStore, directory: Path) -> None:
    """Upkeep rests meanwhile, and goes on when the reader has gone."""
    with reading(directory):
        fill(store, 1000)
        while store.release_space():
            pass
        assert store.log_backlog() > BACKLOG_TO_MOVE
    while store.log_backlog():
        store.release_space()
