"""Every setting of diskcache and SQLite, with its reason.

diskcache takes a setting that it is not given from the file, where anybody may have
written it; so all of them are given. The figures are p50 of 400-byte values.
"""

from collections.abc import Mapping
from types import MappingProxyType

from diskcache.core import METADATA

#: diskcache's name for the database; SQLite adds the suffixes of the other files.
DATABASE_NAME = "cache.db"

DISKCACHE_SETTINGS: Mapping[str, int | str] = MappingProxyType(
    {
        # Counting hits makes every lookup a write: 34 us in place of 12.
        "statistics": 0,
        # No entry has a tag; the index would only cost.
        "tag_index": 0,
        # Any policy adds an index to each write, least-recently-used a write to each
        # lookup (100 us in place of 12). Which entries go, and when, is decided elsewhere.
        "eviction_policy": "none",
        # diskcache's own limit counts free pages too, and emptied the cache to get below it.
        # So it is out of reach, and the culling that would look at it is off: what a store
        # may hold is its owner's decision, by count() and size().
        "size_limit": 2**62,
        "cull_limit": 0,
        # Pages that a removal freed are taken by the next update; what is left over in the end
        # is given back in small steps, when there is time (2: incremental, on demand only). A
        # database that was made with 0 keeps its free pages.
        "sqlite_auto_vacuum": 2,
        # 32 MB at 4096-byte pages: the index of a million entries, and not all of memory.
        "sqlite_cache_size": 2**13,
        # Readers and the writer do not wait for each other.
        "sqlite_journal_mode": "wal",
        # A mapped file that somebody truncates is a SIGBUS; an unmapped one is an error
        # that can be answered.
        "sqlite_mmap_size": 0,
        # What was written survives the death of the process, kill -9 included: it is with the
        # kernel. It may not survive a power cut, where sessions are worth nothing anyway: a
        # store that a reboot ended is to be discarded. Syncing would hold the caller's event
        # loop for up to 19 ms, this for 2 ms at worst.
        "sqlite_synchronous": 0,
        # Above any value that SQLite takes, so that none becomes a file. RawDisk makes none
        # anyway.
        "disk_min_file_size": 2**31,
        # Never used, since RawDisk does not pickle; given so that the file has no say.
        "disk_pickle_protocol": 0,
    }
)

#: The keys that the Settings table may hold. Any other one would become an attribute of
#: diskcache's object or, beginning with ``sqlite_``, a PRAGMA statement of its author's choice.
KNOWN_SETTINGS = frozenset(DISKCACHE_SETTINGS) | frozenset(METADATA)

_WAL_BYTES_KEPT = 4 * 2**20


def connection_pragmas() -> dict[str, int | str]:
    """Return the SQLite pragmas of each connection, in the order to set them."""
    own: dict[str, int | str] = {
        # SQLite's own checkpoints would move a log of any length within a commit. When it is moved,
        # and by whom, is decided in ``Database``.
        "wal_autocheckpoint": 0,
        # A log that grew under a long reader shrinks to this when it is started anew.
        "journal_size_limit": _WAL_BYTES_KEPT,
        # A removed session is overwritten with zeros; it costs nothing that could be told.
        "secure_delete": 1,
        # No session spills into a temporary file outside the directory.
        "temp_store": 2,
        # SQL that the file brings along may not call functions with side effects.
        "trusted_schema": 0,
    }
    return own | {
        name.removeprefix("sqlite_"): value
        for name, value in DISKCACHE_SETTINGS.items()
        # Only when a database is made does SQLite heed auto_vacuum; later it just takes a lock.
        if name.startswith("sqlite_") and name != "sqlite_auto_vacuum"
    }
