"""Removing sessions by hand: all of a cache, or those that lead to one destination."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tlsmgr.destinations import leading_to
from tlsmgr.storage.listing import ListedEntry
from tlsmgr.storage.sessions import Remove

# 50 us each: so many hold the event loop for less than 2 ms.
_REMOVALS_A_STEP = 25


class FlushedStore(Protocol):
    """What entries are removed from: a store, or a store with memory before it."""

    def entries(self, after: int) -> list[ListedEntry]:
        """Return a page of entries behind number ``after``; none at the end."""

    def apply(self, changes: Sequence[Remove]) -> object:
        """Make all changes in one transaction or none."""


class Step(NamedTuple):
    """What one step came to: how many it chose, and where the next one begins; None at the end."""

    chosen: int
    next: int | None


def flush_step(store: FlushedStore, after: int, destination: str, *, dry_run: bool) -> Step:
    """Remove some entries, in less than 2 ms.

    Args:
        store: What they are removed from.
        after: ``next`` of the step before; 0 for the first one.
        destination: Only what leads there, see ``leading_to``; empty for everything.
        dry_run: Only count them.

    Raises:
        StoreBusyError: Another process has the store locked; the same step may succeed later.
        StoreError: The store cannot be used.
    """
    is_chosen = leading_to(destination) if destination else _always
    chosen: list[Remove] = []
    number: int | None = None
    for entry in store.entries(after):
        number = entry.number
        if is_chosen(entry.cache_id):
            chosen.append(Remove(cache_id=entry.cache_id))
            if len(chosen) >= _REMOVALS_A_STEP and not dry_run:
                break
    if chosen and not dry_run:
        store.apply(chosen)
    return Step(len(chosen), number)


def _always(_: bytes) -> bool:
    return True
