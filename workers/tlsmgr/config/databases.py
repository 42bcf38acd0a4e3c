"""The names of session cache databases: ``type:path``, as in Postfix."""

import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.config.values import BadValueError
from tlsmgr.messages import CacheType

DISKCACHE = "diskcache"
#: Postfix's own types that an existing main.cf may name. Postfix's file stays untouched:
#: the directory stands beside it, so that going back to Postfix's own tlsmgr just works.
FOREIGN_TYPES = ("btree", "hash", "lmdb", "dbm", "sdbm", "cdb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A session cache database: its type as written, and its diskcache directory.

    ``directory`` is absolute and free of ``.`` and ``..``, but nothing was asked of the
    file system: it may not exist, and storage may have to put it elsewhere.
    """

    kind: str
    directory: Path


def parse_database(text: str, *, default_type: str, queue_directory: Path) -> Database:
    """Return the database that ``type:path``, or a path of the default type, names.

    A relative path starts at the queue directory, where Postfix's daemons run.

    Raises:
        BadValueError: no path, or a type that cannot hold sessions.
    """
    kind, colon, path = text.partition(":")
    if not colon:
        kind, path = default_type, text
    if kind != DISKCACHE and kind not in FOREIGN_TYPES:
        raise BadValueError(f"expected {DISKCACHE}:directory, or one of {', '.join(FOREIGN_TYPES)} as type")
    if not path.strip("/"):
        raise BadValueError(f"expected a path after {kind + ':'!r}")
    directory = os.path.normpath(queue_directory / path)
    return Database(kind=kind, directory=Path(directory if kind == DISKCACHE else f"{directory}.diskcache"))


def shared_directory(databases: Mapping[CacheType, Database]) -> tuple[CacheType, CacheType] | None:
    """Return the first two caches whose databases are one directory, if there are such."""
    owners: dict[Path, CacheType] = {}
    for cache_type, database in databases.items():
        owner = owners.setdefault(database.directory, cache_type)
        if owner is not cache_type:
            return owner, cache_type
    return None
