import sqlite3
import time
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from tests.service.stores import locked
from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.storage.directory import sole_owner
from tlsmgr.storage.schema import EXPECTED_SCHEMA
from tlsmgr.storage.sessions import Put, SessionStore
from tlsmgr.storage.settings import DISKCACHE_SETTINGS, KNOWN_SETTINGS


def pragmas(store: SessionStore, *names: str) -> dict[str, object]:
    """Return the values of some pragmas on a store's own connection."""
    execute = store._database.connection.execute  # noqa: SLF001 - no other connection has its pragmas
    return {name: execute(f"PRAGMA {name}").fetchone()[0] for name in names}


def test_the_schema_is_the_one_of_the_installed_diskcache(tmp_path: Path) -> None:
    """Exactly: the store writes into diskcache's table, behind diskcache's back."""
    with diskcache.Cache(tmp_path / "plain", eviction_policy="none"):
        pass
    with closing(sqlite3.connect(tmp_path / "plain" / "cache.db")) as connection:
        assert dict(connection.execute("SELECT name, sql FROM sqlite_master")) == EXPECTED_SCHEMA
        settings = {key for (key,) in connection.execute("SELECT key FROM Settings")}
    assert settings == KNOWN_SETTINGS


def test_every_setting_of_diskcache_is_given() -> None:
    """One that is left out would come from the file."""
    assert DISKCACHE_SETTINGS.keys() == diskcache.DEFAULT_SETTINGS.keys()


@pytest.mark.parametrize("checkpoints", [True, False])
def test_the_connection_has_our_pragmas(directory: Path, *, checkpoints: bool) -> None:
    """As SQLite itself tells them, after diskcache has had its turn."""
    with SessionStore(directory, checkpoints=checkpoints) as store:
        expected = {
            "journal_mode": "wal",
            "synchronous": 0,
            "wal_autocheckpoint": 0,
            "journal_size_limit": 4 * 2**20,
            "secure_delete": 1,
            "temp_store": 2,
            "trusted_schema": 0,
            "auto_vacuum": 2,
            "mmap_size": 0,
            "cache_size": 8192,
            "busy_timeout": 0,
        }
        assert pragmas(store, *expected) == expected


def test_settings_in_the_file_do_not_override_ours(directory: Path) -> None:
    """Not even those of a plain diskcache that had the directory before."""
    foreign: dict[str, object] = {"statistics": 1, "sqlite_synchronous": 2, "sqlite_mmap_size": 2**26}
    with diskcache.Cache(directory, eviction_policy="none", **foreign):
        pass
    with SessionStore(directory, checkpoints=True) as store:
        assert pragmas(store, "synchronous", "mmap_size") == {"synchronous": 0, "mmap_size": 0}


def test_a_diskcache_that_makes_another_schema_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store does not write where it does not know its way."""
    monkeypatch.setitem(EXPECTED_SCHEMA, "Settings_more", "CREATE TRIGGER ...")
    with pytest.raises(StoreError, match=r"install diskcache 5\.6\.3"):
        SessionStore(directory, checkpoints=True)


def test_a_store_that_another_process_makes_is_busy(directory: Path) -> None:
    """For as long as that takes; who dies of it leaves nothing that is in the way."""
    directory.mkdir(mode=0o700)
    with sole_owner(directory):
        with pytest.raises(StoreBusyError, match="try again"):
            SessionStore(directory, checkpoints=False)
        (directory / "cache.db.making").mkdir()
        (directory / "cache.db.making" / "cache.db").write_bytes(b"half")
    with SessionStore(directory, checkpoints=False) as store:
        assert store.count() == 0
    assert not (directory / "cache.db.making").exists()


def test_a_link_where_a_database_is_made_is_not_followed(directory: Path, tmp_path: Path) -> None:
    """What is in the directory that it leads to is not removed; once it has gone, the database is made."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "cache.db").write_text("mine")
    directory.mkdir(mode=0o700)
    (directory / "cache.db.making").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="cannot make the database: Not a directory"):
        SessionStore(directory, checkpoints=True)
    assert [path.name for path in elsewhere.iterdir()] == ["cache.db"]
    (directory / "cache.db.making").unlink()
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 0


def test_opening_waits_as_long_as_it_is_told_to(directory: Path) -> None:
    """A worker that starts has the time; one that serves has not."""
    directory.mkdir(mode=0o700)
    with sole_owner(directory):
        for wait in (0.0, 0.05):
            began = time.monotonic()
            with pytest.raises(StoreBusyError):
                SessionStore(directory, checkpoints=True, open_wait=wait)
            assert time.monotonic() - began >= wait


def test_opening_needs_no_lock(directory: Path) -> None:
    """A store that is there is opened at once, whoever writes to it."""
    with SessionStore(directory, checkpoints=True):
        pass
    with locked(directory), SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 0


def test_the_log_stays_short_while_the_store_is_written(directory: Path) -> None:
    """It is moved into the database every 250 pages at the latest, and started anew."""
    with SessionStore(directory, checkpoints=True) as store:
        log = directory / "cache.db-wal"
        sizes = []
        for number in range(1500):
            session = Put(cache_id=b"%d" % number, session=b"s" * 400, stored_at=1, expires_at=2)
            store.apply([session])
            sizes.append(log.stat().st_size)
    assert max(sizes) < 300 * 4200


def test_a_store_that_does_not_checkpoint_leaves_the_log_to_the_other(directory: Path) -> None:
    """Its removals pile up in the log until the one that does makes its next change."""
    with (
        SessionStore(directory, checkpoints=True) as saver,
        SessionStore(directory, checkpoints=False) as sweeper,
    ):
        for start in range(0, 3000, 50):
            saver.apply(
                [
                    Put(cache_id=b"%d" % number, session=b"s" * 400, stored_at=1, expires_at=number)
                    for number in range(start, start + 50)
                ]
            )
        before = (directory / "cache.db").read_bytes()
        while sweeper.remove_expired(1e9):
            pass
        assert (directory / "cache.db").read_bytes() == before
        saver.apply([Put(cache_id=b"id", session=b"s", stored_at=1, expires_at=2)])
        while saver.log_backlog():  # by a thread, as it is long
            saver.release_space()
        assert (directory / "cache.db").read_bytes() != before
        assert saver.count() == 1


def test_a_removed_session_is_gone_from_the_file(directory: Path) -> None:
    """Overwritten, not only forgotten."""
    secret = b"a master secret, all of it" * 4
    with SessionStore(directory, checkpoints=True) as store:
        store.apply([Put(cache_id=b"id", session=secret, stored_at=1, expires_at=2)])
    assert secret in (directory / "cache.db").read_bytes()
    with SessionStore(directory, checkpoints=True) as store:
        assert len(store.remove_expired(10)) == 1
    assert secret not in (directory / "cache.db").read_bytes()
