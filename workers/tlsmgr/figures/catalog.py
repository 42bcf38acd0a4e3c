"""The metrics: names, types, help texts, and where in a worker's ``stats`` each is found.

Names follow the rules of Prometheus: base units, ``_total`` for what only goes up. A place is the
way through the maps of ``stats``, with dots; a name in braces stands for every key that is there,
and becomes a label. What is not there has no samples: workers may be older or newer than this.
"""

from typing import Final

from tlsmgr.figures.farm_metrics import FARM, SHARED_STORES
from tlsmgr.figures.metric import (
    ANY_WORKER,
    CACHE_SERVER,
    EXPIRY_SWEEPER,
    PRNG_SERVER,
    Kind,
    Metric,
    counter,
    gauge,
    histogram,
)

#: The states that an entropy source may be in.
SOURCE_STATES: Final = ("none", "new", "good", "alarm", "failing", "spent")


def _cache(*rows: tuple[str, str, str]) -> tuple[Metric, ...]:
    """Return counters of each cache: name after ``cache_``, help, and the place below the cache."""
    return tuple(
        counter(f"cache_{name}", text, CACHE_SERVER, f"caches.{{cache}}.{at}") for name, text, at in rows
    )


def _cache_gauges(*rows: tuple[str, str, str]) -> tuple[Metric, ...]:
    return tuple(
        gauge(f"cache_{name}", text, CACHE_SERVER, f"caches.{{cache}}.{at}") for name, text, at in rows
    )


_WORKERS = (
    gauge(
        "start_time_seconds",
        "Since when the worker counts, in seconds since 1970.",
        ANY_WORKER,
        "counting_since",
    ),
    counter(
        "requests",
        "Requests that were answered, by protocol, method and status.",
        ANY_WORKER,
        "requests.{protocol}.{method}.answers.{status}",
    ),
    histogram(
        "request_duration_seconds",
        "Time from having read a request to having its answer; one request in seventeen is timed.",
        ANY_WORKER,
        "requests.{protocol}.{method}.seconds",
    ),
    counter(
        "protocol_errors",
        "Requests that were malformed or asked for what there is not, and bytes that were no request.",
        ANY_WORKER,
        "protocol_errors.{protocol}",
    ),
    gauge("connections", "Open connections.", ANY_WORKER, "connections.{protocol}.open"),
    *(
        counter(f"connections_{name}", text, ANY_WORKER, f"connections.{{protocol}}.{name}")
        for name, text in (
            ("accepted", "Connections that were accepted."),
            ("refused", "Connections of users who may not ask."),
            ("evicted", "Idle connections that were closed to make room for others."),
            (
                "dropped",
                "Connections that were closed since too many clients sent half requests or read nothing.",
            ),
        )
    ),
    counter(
        "connection_shortages",
        "Times that no descriptor was left for a new connection.",
        ANY_WORKER,
        "connections.{protocol}.shortages",
    ),
    gauge(
        "sealing_key_shared",
        "Whether a restart of this worker loses neither sessions nor ticket keys.",
        ANY_WORKER,
        "sealing.key_shared",
    ),
    counter(
        "sealing_key_refused",
        "Requests for the sealing key by who is not the other worker.",
        ANY_WORKER,
        "sealing.key_refused",
    ),
)

_CACHES = (
    *_cache(
        ("hits", "Lookups that found a session on this host.", "hits"),
        ("misses", "Lookups that found none on this host, by reason.", "misses_by_reason.{reason}"),
        ("updates", "Requests to save a session.", "updates"),
        ("stores", "Sessions that were saved.", "stored"),
        ("delete_requests", "Requests to delete a session.", "deletes"),
        ("deletes", "Sessions that were deleted on request.", "removed"),
        ("evictions", "Sessions that went before their time, for want of room.", "evictions"),
        ("tampered_entries", "Entries found that were changed or moved on disk.", "tampered"),
        (
            "shared_lookups",
            "Lookups that this host had nothing for, by what came of asking the shared store.",
            "shared.lookups.{outcome}",
        ),
        (
            "shared_tampered_entries",
            "Entries found in the shared store that no host of the farm had put there.",
            "shared.tampered",
        ),
        ("unshared_sessions", "Sessions that were too large for the shared store.", "shared.too_large"),
    ),
    *_cache_gauges(
        ("enabled", "Whether the configuration names a database for the cache.", "enabled"),
        ("entries", "Sessions in the cache, those that expired and were not swept yet included.", "entries"),
        ("entry_limit", "The largest number of sessions in the cache; 0 for no limit.", "entry_limit"),
        ("size_bytes", "Bytes of the cache on disk.", "bytes"),
        ("size_limit_bytes", "The largest size of the cache on disk; 0 for no limit.", "size_limit"),
        ("memory_bytes", "Bytes of the sessions that are in memory, too.", "memory_bytes"),
        ("oldest_entry_age_seconds", "Age of the session that expires first; 0 for none.", "oldest_age"),
    ),
    histogram(
        "cache_hit_age_seconds",
        "Age of the sessions that lookups found.",
        CACHE_SERVER,
        "caches.{cache}.hit_age",
    ),
)

_SECRETS = (
    counter(
        "ticket_key_requests",
        "Requests for ticket keys: the one to encrypt with (issued), or one by its name to decrypt.",
        CACHE_SERVER,
        "ticket_keys.requests.{key}",
    ),
    counter(
        "ticket_keys_issued",
        "Ticket keys that were given out to encrypt with: this host's own, or the farm's.",
        CACHE_SERVER,
        "ticket_keys.issued_by_source.{source}",
    ),
    counter("ticket_keys_made", "Ticket keys that were made.", CACHE_SERVER, "ticket_keys.made"),
    counter(
        "ticket_keys_tampered",
        "Files with ticket keys that were changed on disk.",
        CACHE_SERVER,
        "ticket_keys.tampered",
    ),
    counter(
        "seeds",
        "Seeds that were given out: from the pool, or from the kernel while the PRNG server was late.",
        CACHE_SERVER,
        "seeds.{origin}",
    ),
)

_SWEEPS = (
    counter("sweeps", "Sweeps that were completed.", EXPIRY_SWEEPER, "caches.{cache}.sweeps"),
    counter("sweep_failures", "Sweeps that failed.", EXPIRY_SWEEPER, "caches.{cache}.failures"),
    counter(
        "sweep_dropped_entries", "Sessions that sweeps removed.", EXPIRY_SWEEPER, "caches.{cache}.dropped"
    ),
    counter("sweep_seconds", "Time that completed sweeps took.", EXPIRY_SWEEPER, "caches.{cache}.seconds"),
    gauge("sweep_kept_entries", "Sessions that the last sweep left.", EXPIRY_SWEEPER, "caches.{cache}.kept"),
    gauge(
        "last_sweep_timestamp_seconds",
        "When the last sweep was completed, in seconds since 1970.",
        EXPIRY_SWEEPER,
        "caches.{cache}.last_at",
    ),
)

_PRNG = (
    counter("pool_requests", "Requests that were served from the pool.", PRNG_SERVER, "pool.requests"),
    counter(
        "pool_bytes",
        "Bytes that the pool gave out, for requests and for our own use.",
        PRNG_SERVER,
        "pool.bytes",
    ),
    counter("pool_reseeds", "Times that the pool was reseeded.", PRNG_SERVER, "pool.reseeds"),
    counter("pool_stirs", "Times that something was stirred into the pool.", PRNG_SERVER, "pool.stirs"),
    counter(
        "pool_entropy_bytes",
        "Bytes of the entropy source that were mixed in and counted as entropy.",
        PRNG_SERVER,
        "pool.entropy_bytes",
    ),
    Metric(
        name="tlsmgr_entropy_source_state",
        kind=Kind.STATE,
        help="1 for the state that the entropy source is in, 0 for the others.",
        worker=PRNG_SERVER,
        place="source_state",
    ),
    counter("entropy_source_reads", "Readings of the source that gave bytes.", PRNG_SERVER, "source_reads"),
    counter(
        "entropy_source_failures", "Readings of the source that gave none.", PRNG_SERVER, "source_failures"
    ),
    counter("entropy_health_alarms", "Readings that failed a health test.", PRNG_SERVER, "source_alarms"),
    counter(
        "exchange_file_updates", "Exchanges with the PRNG exchange file.", PRNG_SERVER, "exchange_updates"
    ),
    counter("exchange_file_failures", "Exchanges that failed.", PRNG_SERVER, "exchange_failures"),
    gauge(
        "exchange_file_age_seconds",
        "Time since the last exchange with the PRNG exchange file.",
        PRNG_SERVER,
        "exchange_age",
    ),
)

#: Every metric that is read out of ``stats``.
METRICS: Final = (*_WORKERS, *_CACHES, *_SECRETS, *FARM, *SHARED_STORES, *_SWEEPS, *_PRNG)
