import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.storage.test_quarantine import statement
from tlsmgr.errors import StoreHeldError
from tlsmgr.storage import database
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


def test_the_log_is_bounded_under_a_long_reader(
    store: SessionStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing more is saved, and what was saved is found; it ends when the reader does."""
    monkeypatch.setattr(database, "_LOG_PAGES_AT_MOST", 1000)
    fill(store, 100)
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM Cache").fetchone()
        with pytest.raises(StoreHeldError, match="end that process"):
            fill(store, 100_000)
        assert (directory / "cache.db-wal").stat().st_size < 1300 * 4200
        saved = store.count()
        assert saved % 50 == 0
        assert store.find(puts(saved - 1, saved)[0].cache_id) is not None
        reader.execute("ROLLBACK")
    assert all(store.apply(puts(saved, saved + 50)).done)
    assert store.log_backlog() < 1000
