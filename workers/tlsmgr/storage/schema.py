"""The schema of diskcache 5.6.3, and the refusal of a file that has another one.

The session store writes into diskcache's own table. This is what it relies on, and what
it trusts: a file with a trigger or a setting more was not made by this package.
"""

import sqlite3

from tlsmgr.storage.failures import DamageError
from tlsmgr.storage.settings import KNOWN_SETTINGS

_COUNT = 'UPDATE Settings SET value = value {change} WHERE key = "{key}"'


def _trigger(name: str, event: str, change: str, key: str) -> tuple[str, str]:
    body = _COUNT.format(change=change, key=key)
    return name, f"CREATE TRIGGER {name} AFTER {event} ON Cache FOR EACH ROW BEGIN {body}; END"


#: The name of each object in the file, and the SQL that made it (None: SQLite made it).
EXPECTED_SCHEMA: dict[str, str | None] = {
    "Settings": "CREATE TABLE Settings ( key TEXT NOT NULL UNIQUE, value)",
    "sqlite_autoindex_Settings_1": None,
    "Cache": (
        "CREATE TABLE Cache ( rowid INTEGER PRIMARY KEY, key BLOB, raw INTEGER, store_time REAL,"
        " expire_time REAL, access_time REAL, access_count INTEGER DEFAULT 0, tag BLOB,"
        " size INTEGER DEFAULT 0, mode INTEGER DEFAULT 0, filename TEXT, value BLOB)"
    ),
    "Cache_key_raw": "CREATE UNIQUE INDEX Cache_key_raw ON Cache(key, raw)",
    "Cache_expire_time": "CREATE INDEX Cache_expire_time ON Cache (expire_time)",
    **dict(
        [
            _trigger("Settings_count_insert", "INSERT", "+ 1", "count"),
            _trigger("Settings_count_delete", "DELETE", "- 1", "count"),
            _trigger("Settings_size_insert", "INSERT", "+ NEW.size", "size"),
            _trigger("Settings_size_update", "UPDATE", "+ NEW.size - OLD.size", "size"),
            _trigger("Settings_size_delete", "DELETE", "- OLD.size", "size"),
        ]
    ),
}


def check_ours(connection: sqlite3.Connection) -> None:
    """Refuse a file that holds anything else than what diskcache makes with our settings.

    Raises:
        DamageError: a table, index, trigger or setting is foreign, or missing.
        sqlite3.Error: the file cannot be read, or is no database.
    """
    schema = _schema(connection)
    foreign = {name for name, sql in schema.items() if EXPECTED_SCHEMA.get(name, "") != sql}
    if "Settings" in schema:
        foreign |= _setting_names(connection) - KNOWN_SETTINGS
    if foreign:
        raise DamageError(f"it holds {_listed(foreign)}, which this program did not write")
    if missing := missing_parts(connection):
        raise DamageError(f"it lacks {_listed(missing)}")


def missing_parts(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the tables, indexes, triggers and settings that a file lacks.

    Raises:
        sqlite3.Error: the file cannot be read, or is no database.
    """
    missing = set(EXPECTED_SCHEMA.keys() - _schema(connection).keys())
    return missing or set(KNOWN_SETTINGS - _setting_names(connection))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(map(repr, names)))


def _schema(connection: sqlite3.Connection) -> dict[str, str | None]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())


def _setting_names(connection: sqlite3.Connection) -> set[str]:
    # As text, since a planted one can be a number or a blob.
    return {str(name) for (name,) in connection.execute("SELECT key FROM Settings").fetchall()}
