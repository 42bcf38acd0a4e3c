"""Checks of the stores that hosts share."""

from collections.abc import Iterator
from typing import Any

from tlsmgr.doctor.findings import Finding, failed, ok, warning
from tlsmgr.doctor.surroundings import Surroundings

_NAME = "shared store"


def shared_stores(host: Surroundings) -> Iterator[Finding]:
    """Each shared store answers in time, takes what is sent, and has nobody else's data."""
    wanted = {
        str(cache.database.shared)
        for cache in host.settings.caches.values()
        if cache.database is not None and cache.database.shared is not None
    }
    source = host.settings.tlsmgr_ticket_key_source.store
    wanted |= set() if source is None else {str(source)}
    figures = host.stats.get("cache-server", {})
    found = figures.get("shared_stores")
    stores = found if isinstance(found, dict) else {}
    for store in sorted(wanted):
        yield from _store(f"{_NAME} {store}", stores.get(store))
    if wanted:
        yield from _tampering(figures.get("caches"))


def _store(name: str, figures: Any) -> Iterator[Finding]:  # noqa: ANN401 - a map, as asked for
    if not isinstance(figures, dict):
        advice = "supervisorctl restart tlsmgr:cache-server makes it use the store; see its log"
        yield failed(name, "the cache server does not use it", advice)
        return
    if figures.get("up"):
        yield ok(name, f"answers; {figures.get('round_trips')} round trips so far")
    else:
        text = f"is not asked (circuit breaker {figures.get('state')}): {figures.get('trouble')}"
        yield failed(name, text, "mend that; it is asked again within a minute; only sharing rests meanwhile")
    queue = figures.get("queue")
    changes = queue.get("changes", {}) if isinstance(queue, dict) else {}
    lost = {what: changes[what] for what in ("refused", "dropped") if changes.get(what)}
    if lost:
        text = ", ".join(f"{count} changes were {what}" for what, count in lost.items())
        yield warning(f"{name}, changes", text, "the log of cache-server says why")


def _tampering(caches: object) -> Iterator[Finding]:
    for cache, figures in caches.items() if isinstance(caches, dict) else ():
        shared = figures.get("shared") if isinstance(figures, dict) else None
        if isinstance(shared, dict) and shared.get("tampered"):
            text = f"{shared['tampered']} entries were found there that no host of the farm had put"
            yield failed(f"shared entries of {cache}", text, "see who else can write to the store")
