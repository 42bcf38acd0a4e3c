"""The names of session cache databases: ``type:path``, as in Postfix."""

import os.path
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.config.values import BadValueError
from tlsmgr.messages import CacheType
from tlsmgr.shared_store.address import AddressError, StoreAddress, parse_address

DISKCACHE = "diskcache"
#: A store that several hosts share, behind a directory of this host's own.
REDIS = "redis"
#: Postfix's own types that an existing main.cf may name. Postfix's file stays untouched:
#: the directory stands beside it, so that going back to Postfix's own tlsmgr just works.
FOREIGN_TYPES = ("btree", "hash", "lmdb", "dbm", "sdbm", "cdb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A session cache database: its type as written, and its diskcache directory.

    ``directory`` is absolute and free of ``.`` and ``..``, but nothing was asked of the
    file system: it may not exist, and storage may have to put it elsewhere. ``shared`` is the
    store that other hosts have their sessions in, too.
    """

    kind: str
    directory: Path
    shared: StoreAddress | None = None


def parse_database(text: str, *, default_type: str, queue_directory: Path, own_directory: Path) -> Database:
    """Return the database that ``type:path``, or a path of the default type, names.

    A relative path starts at the queue directory, where Postfix's daemons run.

    Args:
        text: the value of the parameter.
        default_type: the type of a path without one.
        queue_directory: see above; absolute.
        own_directory: where this host's share of the sessions is, of a store that hosts share.

    Raises:
        BadValueError: no path, or a type that cannot hold sessions.
    """
    kind, colon, path = text.partition(":")
    if not colon:
        kind, path = default_type, text
    if kind == REDIS:
        return Database(kind=kind, directory=own_directory, shared=_shared_store(path))
    if kind != DISKCACHE and kind not in FOREIGN_TYPES:
        raise BadValueError(
            f"expected {DISKCACHE}:directory, {REDIS}:URL, or one of {', '.join(FOREIGN_TYPES)} as type"
        )
    if not path.strip("/"):
        raise BadValueError(f"expected a path after {kind + ':'!r}")
    directory = os.path.normpath(queue_directory / path)
    return Database(kind=kind, directory=Path(directory if kind == DISKCACHE else f"{directory}.diskcache"))


def _shared_store(url: str) -> StoreAddress:
    try:
        return parse_address(url)
    except AddressError as error:
        raise BadValueError(f"after {REDIS + ':'!r}: {error}") from error


def shared_directory(databases: Mapping[CacheType, Database]) -> tuple[CacheType, CacheType] | None:
    """Return the first two caches whose databases are one directory, if there are such."""
    owners: dict[Path, CacheType] = {}
    for cache_type, database in databases.items():
        owner = owners.setdefault(database.directory, cache_type)
        if owner is not cache_type:
            return owner, cache_type
    return None
