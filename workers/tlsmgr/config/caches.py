"""What the three parameters of each session cache come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tlsmgr.config.databases import Database, parse_database, shared_directory
from tlsmgr.config.parameters import database_name, loglevel_name, timeout_name
from tlsmgr.config.reading import ValueReader
from tlsmgr.config.values import BadValueError, TlsLogLevel
from tlsmgr.messages import CacheType

#: Seconds. Postfix raises a shorter session timeout to this; 0 still means none.
SESSION_TIMEOUT_MIN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """One session cache. Without a ``database`` it is not enabled.

    ``timeout`` is in seconds: 0, or from 120 to 8640000. It counts without a database too:
    session tickets live by it. ``entry_limit`` and ``size_limit`` (bytes) are 0 for none.
    """

    cache_type: CacheType
    database: Database | None
    timeout: int
    loglevel: int
    logs_cache_events: bool
    entry_limit: int
    size_limit: int


def cache_settings(values: Mapping[str, Any], reader: ValueReader) -> Mapping[CacheType, CacheSettings]:
    """Return the settings of every cache type, from the values of all parameters.

    Raises:
        ConfigurationError: an enabled cache has a bad database name, or another one's.
    """
    caches = {cache_type: _cache(cache_type, values, reader) for cache_type in CacheType}
    databases = {
        cache_type: cache.database for cache_type, cache in caches.items() if cache.database is not None
    }
    if shared := shared_directory(databases):
        first, second = shared
        directory = databases[second].directory
        raise reader.error(
            database_name(second),
            f"expected another database than {database_name(first)} has: both are {directory}",
        )
    return MappingProxyType(caches)


def _cache(cache_type: CacheType, values: Mapping[str, Any], reader: ValueReader) -> CacheSettings:
    timeout: int = values[timeout_name(cache_type)]
    loglevel: TlsLogLevel = values[loglevel_name(cache_type)]
    enabled = timeout > 0 and values[database_name(cache_type)]
    return CacheSettings(
        cache_type=cache_type,
        database=_database(cache_type, values, reader) if enabled else None,
        timeout=max(timeout, SESSION_TIMEOUT_MIN) if timeout > 0 else 0,
        loglevel=loglevel.level,
        logs_cache_events=loglevel.logs_cache_events,
        entry_limit=values["tlsmgr_session_cache_entry_limit"],
        size_limit=values["tlsmgr_session_cache_size_limit"],
    )


def _database(cache_type: CacheType, values: Mapping[str, Any], reader: ValueReader) -> Database:
    name = database_name(cache_type)
    try:
        return parse_database(
            values[name],
            default_type=values["default_database_type"],
            queue_directory=values["queue_directory"],
            own_directory=values["data_directory"] / f"{cache_type.value}_tls_session_cache.diskcache",
        )
    except BadValueError as error:
        raise reader.error(name, str(error)) from error
