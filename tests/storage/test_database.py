import sqlite3
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.storage import database as database_module
from tlsmgr.storage.directory import prepare_directory
from tlsmgr.storage.schema import EXPECTED_SCHEMA
from tlsmgr.storage.sessions import Put, SessionStore
from tlsmgr.storage.settings import DISKCACHE_SETTINGS, KNOWN_SETTINGS


def pragmas(store: SessionStore, *names: str) -> dict[str, object]:
    """Return the values of some pragmas on a store's own connection."""
    execute = store._connection.execute  # noqa: SLF001 - no other connection has its pragmas
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
            "wal_autocheckpoint": 250 if checkpoints else 0,
            "journal_size_limit": 4 * 2**20,
            "secure_delete": 1,
            "temp_store": 2,
            "trusted_schema": 0,
            "auto_vacuum": 0,
            "mmap_size": 0,
            "cache_size": 8192,
            "busy_timeout": 0,
        }
        assert pragmas(store, *expected) == expected


def test_settings_in_the_file_do_not_override_ours(directory: Path) -> None:
    """Not even those of a plain diskcache that had the directory before."""
    foreign: dict[str, object] = {
        "statistics": 1,
        "cull_limit": 10,
        "size_limit": 1,
        "sqlite_synchronous": 2,
        "sqlite_mmap_size": 2**26,
        "disk_min_file_size": 0,
    }
    with diskcache.Cache(directory, eviction_policy="none", **foreign):
        pass
    with SessionStore(directory, checkpoints=True) as store:
        assert pragmas(store, "synchronous", "mmap_size") == {"synchronous": 0, "mmap_size": 0}
        cache = store._database  # noqa: SLF001 - these are diskcache's own
        found = {name: getattr(cache, name) for name in DISKCACHE_SETTINGS}
        assert found == dict(DISKCACHE_SETTINGS)


@pytest.mark.parametrize("name", ["sqlite_writable_schema", "_disk", "disk_evil", "timeout"])
def test_a_foreign_setting_is_refused(directory: Path, name: str) -> None:
    """It would be a PRAGMA, or an attribute of diskcache's object, or an argument."""
    with SessionStore(directory, checkpoints=True):
        pass
    with closing(sqlite3.connect(directory / "cache.db")) as connection:
        connection.execute("INSERT INTO Settings VALUES (?, 1)", (name,))
        connection.commit()
    with pytest.raises(StoreError, match=f"holds '{name}'"):
        SessionStore(directory, checkpoints=True)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER spy AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
        "CREATE TABLE other (x)",
        "CREATE VIEW other AS SELECT * FROM Cache",
        "CREATE INDEX other ON Cache (store_time)",
    ],
)
def test_a_foreign_object_is_refused(directory: Path, statement: str) -> None:
    """Triggers run with every update; the others have no business there."""
    with SessionStore(directory, checkpoints=True):
        pass
    with closing(sqlite3.connect(directory / "cache.db")) as connection:
        connection.execute(statement)
    with pytest.raises(StoreError, match="did not write; remove the directory"):
        SessionStore(directory, checkpoints=True)


def test_a_trigger_of_a_known_name_with_another_body_is_refused(directory: Path) -> None:
    """A name is not trusted for what it stands for."""
    with SessionStore(directory, checkpoints=True):
        pass
    with closing(sqlite3.connect(directory / "cache.db")) as connection:
        connection.execute("DROP TRIGGER Settings_count_insert")
        connection.execute(
            "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END"
        )
    with pytest.raises(StoreError, match="holds 'Settings_count_insert'"):
        SessionStore(directory, checkpoints=True)


def test_a_store_whose_making_was_interrupted_is_completed(directory: Path) -> None:
    """The schema is made in many transactions; death between two of them is no damage."""
    with SessionStore(directory, checkpoints=True):
        pass
    with closing(sqlite3.connect(directory / "cache.db")) as connection:
        connection.execute("DROP TRIGGER Settings_size_delete")
        connection.execute("DROP INDEX Cache_expire_time")
        connection.execute("DELETE FROM Settings WHERE key = 'count'")
        connection.commit()
    with SessionStore(directory, checkpoints=True) as store:
        assert store.count() == 0


def test_a_schema_that_lacks_something_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a later diskcache may make it: the store does not write where it does not know its way."""
    monkeypatch.setitem(EXPECTED_SCHEMA, "Settings_more", "CREATE TRIGGER ...")
    with pytest.raises(StoreError, match=r"lacks Settings_more; install diskcache 5\.6\.3"):
        SessionStore(directory, checkpoints=True)


def test_a_file_that_is_no_database_is_refused(directory: Path) -> None:
    """The message says what to do; the file stays as it is."""
    prepare_directory(directory)
    (directory / "cache.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=f"{directory}: .*remove the directory.*SQLITE_NOTADB"):
        SessionStore(directory, checkpoints=True)
    assert (directory / "cache.db").read_bytes().startswith(b"no database")


def test_opening_does_not_wait_long_for_a_lock(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to diskcache, it would try for a minute."""
    monkeypatch.setattr(database_module, "OPEN_WAIT_SECONDS", 0.01)
    with SessionStore(directory, checkpoints=True):
        pass
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match=f"{directory}: .*try again"):
            SessionStore(directory, checkpoints=True)


def test_the_log_stays_short_while_the_store_is_written(directory: Path) -> None:
    """It is moved into the database every 250 pages, and started anew."""
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
