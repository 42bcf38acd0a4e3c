"""The metrics of what several hosts have in common: rows of the catalog."""

from typing import Final

from tlsmgr.figures.metric import CACHE_SERVER, counter, gauge

#: Of ticket keys that several hosts have.
FARM: Final = (
    *(
        counter(f"farm_keys_{name}", text, CACHE_SERVER, f"farm.{name}")
        for name, text in (
            ("made", "Ticket keys that this host made for all."),
            ("adopted", "Ticket keys that this host took from the shared store."),
            ("tampered", "Ticket keys found in the shared store that no host of the farm had put there."),
        )
    ),
    gauge(
        "farm_ready",
        "Whether the ticket key that encrypts is one that the farm has, by where they come from.",
        CACHE_SERVER,
        "farm.ready.{source}",
    ),
    gauge(
        "farm_epoch", "The oldest epoch whose key this host has, or can derive.", CACHE_SERVER, "farm.epoch"
    ),
    gauge("farm_epoch_length_seconds", "How long an epoch is.", CACHE_SERVER, "farm.epoch_seconds"),
    gauge(
        "farm_state_age_seconds",
        "Time since the farm's secret on disk was read or replaced, or the shared store answered.",
        CACHE_SERVER,
        "farm.state_age",
    ),
    counter(
        "farm_advances",
        "Times that keys of former epochs were forgotten, on disk too.",
        CACHE_SERVER,
        "farm.advances",
    ),
    counter(
        "farm_catch_ups",
        "Times that the clock was more than an epoch ahead of the secret.",
        CACHE_SERVER,
        "farm.catch_ups",
    ),
    counter(
        "farm_failures",
        "Times that the farm's secret could not be read or replaced, or the store not be asked for keys.",
        CACHE_SERVER,
        "farm.failures",
    ),
    counter(
        "farm_early_tickets",
        "Tickets of epochs that are to come by this host's clock.",
        CACHE_SERVER,
        "farm.early_tickets",
    ),
)

#: Of the stores that hosts share.
SHARED_STORES: Final = (
    gauge(
        "shared_store_up",
        "Whether the shared store is asked: not while it does not answer, or not in time.",
        CACHE_SERVER,
        "shared_stores.{store}.up",
    ),
    counter(
        "shared_store_round_trips",
        "Questions to the shared store; changes go in groups, and a group counts once.",
        CACHE_SERVER,
        "shared_stores.{store}.round_trips",
    ),
    counter(
        "shared_store_failures",
        "Failures of the shared store, by cause.",
        CACHE_SERVER,
        "shared_stores.{store}.failures.{cause}",
    ),
    counter(
        "shared_store_forged_marks",
        "Marks of revocation found in the shared store that no host of the farm had put there.",
        CACHE_SERVER,
        "shared_stores.{store}.forged_marks",
    ),
    gauge(
        "shared_store_queue_entries",
        "Changes that wait for the shared store.",
        CACHE_SERVER,
        "shared_stores.{store}.queue.waiting",
    ),
    counter(
        "shared_store_changes",
        "Changes for the shared store: sent, refused by it, or dropped since too many waited.",
        CACHE_SERVER,
        "shared_stores.{store}.queue.changes.{outcome}",
    ),
)
