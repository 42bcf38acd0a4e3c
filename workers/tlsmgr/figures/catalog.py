"""The metrics: names, types, help texts, and where in a worker's ``stats`` each is found.

Names follow the rules of Prometheus: base units, ``_total`` for what only goes up. A place is the
way through the maps of ``stats``, with dots; a name in braces stands for every key that is there,
and becomes a label. What is not there has no samples: workers may be older or newer than this.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

CACHE_SERVER: Final = "cache-server"
PRNG_SERVER: Final = "prng-server"
EXPIRY_SWEEPER: Final = "expiry-sweeper"
ANY_WORKER: Final = ""  #: each has it, and a label says which

#: The states that an entropy source may be in.
SOURCE_STATES: Final = ("none", "new", "good", "alarm", "failing", "spent")


class Kind(Enum):
    """The types that Prometheus knows, as far as they are used; STATE is a gauge for each state."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row: ``name`` without what Prometheus adds to a histogram's parts."""

    name: str
    kind: Kind
    help: str
    worker: str
    place: str


def _counter(name: str, text: str, worker: str, place: str) -> Metric:
    return Metric(name=f"tlsmgr_{name}_total", kind=Kind.COUNTER, help=text, worker=worker, place=place)


def _gauge(name: str, text: str, worker: str, place: str) -> Metric:
    return Metric(name=f"tlsmgr_{name}", kind=Kind.GAUGE, help=text, worker=worker, place=place)


def _histogram(name: str, text: str, worker: str, place: str) -> Metric:
    return Metric(name=f"tlsmgr_{name}", kind=Kind.HISTOGRAM, help=text, worker=worker, place=place)


def _cache(*rows: tuple[str, str, str]) -> tuple[Metric, ...]:
    """Return counters of each cache: name after ``cache_``, help, and the place below the cache."""
    return tuple(
        _counter(f"cache_{name}", text, CACHE_SERVER, f"caches.{{cache}}.{at}") for name, text, at in rows
    )


def _cache_gauges(*rows: tuple[str, str, str]) -> tuple[Metric, ...]:
    return tuple(
        _gauge(f"cache_{name}", text, CACHE_SERVER, f"caches.{{cache}}.{at}") for name, text, at in rows
    )


_WORKERS = (
    _gauge(
        "start_time_seconds",
        "Since when the worker counts, in seconds since 1970.",
        ANY_WORKER,
        "counting_since",
    ),
    _counter(
        "requests",
        "Requests that were answered, by protocol, method and status.",
        ANY_WORKER,
        "requests.{protocol}.{method}.answers.{status}",
    ),
    _histogram(
        "request_duration_seconds",
        "Time from having read a request to having its answer; one request in seventeen is timed.",
        ANY_WORKER,
        "requests.{protocol}.{method}.seconds",
    ),
    _counter(
        "protocol_errors",
        "Requests that were malformed or asked for what there is not, and bytes that were no request.",
        ANY_WORKER,
        "protocol_errors.{protocol}",
    ),
    _gauge("connections", "Open connections.", ANY_WORKER, "connections.{protocol}.open"),
    *(
        _counter(f"connections_{name}", text, ANY_WORKER, f"connections.{{protocol}}.{name}")
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
    _counter(
        "connection_shortages",
        "Times that no descriptor was left for a new connection.",
        ANY_WORKER,
        "connections.{protocol}.shortages",
    ),
    _gauge(
        "sealing_key_shared",
        "Whether a restart of this worker loses neither sessions nor ticket keys.",
        ANY_WORKER,
        "sealing.key_shared",
    ),
    _counter(
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
    _histogram(
        "cache_hit_age_seconds",
        "Age of the sessions that lookups found.",
        CACHE_SERVER,
        "caches.{cache}.hit_age",
    ),
)

_SECRETS = (
    _counter(
        "ticket_key_requests",
        "Requests for ticket keys: the one to encrypt with (issued), or one by its name to decrypt.",
        CACHE_SERVER,
        "ticket_keys.requests.{key}",
    ),
    _counter(
        "ticket_keys_issued",
        "Ticket keys that were given out to encrypt with: this host's own, or the farm's.",
        CACHE_SERVER,
        "ticket_keys.issued_by_source.{source}",
    ),
    _counter("ticket_keys_made", "Ticket keys that were made.", CACHE_SERVER, "ticket_keys.made"),
    _counter(
        "ticket_keys_tampered",
        "Files with ticket keys that were changed on disk.",
        CACHE_SERVER,
        "ticket_keys.tampered",
    ),
    _counter(
        "seeds",
        "Seeds that were given out: from the pool, or from the kernel while the PRNG server was late.",
        CACHE_SERVER,
        "seeds.{origin}",
    ),
)

_SWEEPS = (
    _counter("sweeps", "Sweeps that were completed.", EXPIRY_SWEEPER, "caches.{cache}.sweeps"),
    _counter("sweep_failures", "Sweeps that failed.", EXPIRY_SWEEPER, "caches.{cache}.failures"),
    _counter(
        "sweep_dropped_entries", "Sessions that sweeps removed.", EXPIRY_SWEEPER, "caches.{cache}.dropped"
    ),
    _counter("sweep_seconds", "Time that completed sweeps took.", EXPIRY_SWEEPER, "caches.{cache}.seconds"),
    _gauge("sweep_kept_entries", "Sessions that the last sweep left.", EXPIRY_SWEEPER, "caches.{cache}.kept"),
    _gauge(
        "last_sweep_timestamp_seconds",
        "When the last sweep was completed, in seconds since 1970.",
        EXPIRY_SWEEPER,
        "caches.{cache}.last_at",
    ),
)

_PRNG = (
    _counter("pool_requests", "Requests that were served from the pool.", PRNG_SERVER, "pool.requests"),
    _counter(
        "pool_bytes",
        "Bytes that the pool gave out, for requests and for our own use.",
        PRNG_SERVER,
        "pool.bytes",
    ),
    _counter("pool_reseeds", "Times that the pool was reseeded.", PRNG_SERVER, "pool.reseeds"),
    _counter("pool_stirs", "Times that something was stirred into the pool.", PRNG_SERVER, "pool.stirs"),
    _counter(
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
    _counter("entropy_source_reads", "Readings of the source that gave bytes.", PRNG_SERVER, "source_reads"),
    _counter(
        "entropy_source_failures", "Readings of the source that gave none.", PRNG_SERVER, "source_failures"
    ),
    _counter("entropy_health_alarms", "Readings that failed a health test.", PRNG_SERVER, "source_alarms"),
    _counter(
        "exchange_file_updates", "Exchanges with the PRNG exchange file.", PRNG_SERVER, "exchange_updates"
    ),
    _counter("exchange_file_failures", "Exchanges that failed.", PRNG_SERVER, "exchange_failures"),
    _gauge(
        "exchange_file_age_seconds",
        "Time since the last exchange with the PRNG exchange file.",
        PRNG_SERVER,
        "exchange_age",
    ),
)

_FARM = (
    *(
        _counter(f"farm_keys_{name}", text, CACHE_SERVER, f"farm.{name}")
        for name, text in (
            ("made", "Ticket keys that this host made for all."),
            ("adopted", "Ticket keys that this host took from the shared store."),
            ("tampered", "Ticket keys found in the shared store that no host of the farm had put there."),
        )
    ),
    _gauge(
        "farm_ready",
        "Whether the ticket key that encrypts is one that the farm has, by where they come from.",
        CACHE_SERVER,
        "farm.ready.{source}",
    ),
    _gauge(
        "farm_epoch", "The oldest epoch whose key this host has, or can derive.", CACHE_SERVER, "farm.epoch"
    ),
    _gauge("farm_epoch_length_seconds", "How long an epoch is.", CACHE_SERVER, "farm.epoch_seconds"),
    _gauge(
        "farm_state_age_seconds",
        "Time since the farm's secret on disk was read or replaced, or the shared store answered.",
        CACHE_SERVER,
        "farm.state_age",
    ),
    _counter(
        "farm_advances",
        "Times that keys of former epochs were forgotten, on disk too.",
        CACHE_SERVER,
        "farm.advances",
    ),
    _counter(
        "farm_catch_ups",
        "Times that the clock was more than an epoch ahead of the secret.",
        CACHE_SERVER,
        "farm.catch_ups",
    ),
    _counter(
        "farm_failures",
        "Times that the farm's secret could not be read or replaced, or the store not be asked for keys.",
        CACHE_SERVER,
        "farm.failures",
    ),
    _counter(
        "farm_early_tickets",
        "Tickets of epochs that are to come by this host's clock.",
        CACHE_SERVER,
        "farm.early_tickets",
    ),
)

_SHARED_STORES = (
    _gauge(
        "shared_store_up",
        "Whether the shared store is asked: not while it does not answer, or not in time.",
        CACHE_SERVER,
        "shared_stores.{store}.up",
    ),
    _counter(
        "shared_store_round_trips",
        "Questions to the shared store; changes go in groups, and a group counts once.",
        CACHE_SERVER,
        "shared_stores.{store}.round_trips",
    ),
    _counter(
        "shared_store_failures",
        "Failures of the shared store, by cause.",
        CACHE_SERVER,
        "shared_stores.{store}.failures.{cause}",
    ),
    _counter(
        "shared_store_forged_marks",
        "Marks of revocation found in the shared store that no host of the farm had put there.",
        CACHE_SERVER,
        "shared_stores.{store}.forged_marks",
    ),
    _gauge(
        "shared_store_queue_entries",
        "Changes that wait for the shared store.",
        CACHE_SERVER,
        "shared_stores.{store}.queue.waiting",
    ),
    _counter(
        "shared_store_changes",
        "Changes for the shared store: sent, refused by it, or dropped since too many waited.",
        CACHE_SERVER,
        "shared_stores.{store}.queue.changes.{outcome}",
    ),
)

#: Every metric that is read out of ``stats``.
METRICS: Final = (*_WORKERS, *_CACHES, *_SECRETS, *_FARM, *_SHARED_STORES, *_SWEEPS, *_PRNG)
