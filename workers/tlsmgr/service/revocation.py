"""Revocation: of the ticket keys, of the sealing key, and of every session."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from tlsmgr.errors import Status
from tlsmgr.messages import CacheType
from tlsmgr.sealing.custody import Custody
from tlsmgr.service.farm_keys import FarmRevocation
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.sharing import Sharing
from tlsmgr.service.ticket_keys import TicketKeys
from tlsmgr.storage.quarantine import destroy_set_aside

_log = logging.getLogger(__name__)

# The other worker answers within milliseconds, or does not.
_SHARING_SECONDS = 2.0
_TICKET_KEYS = "ticket keys"
_FARM_KEYS = "ticket keys of the farm"


async def revoke(
    custody: Custody,
    ticket_keys: TicketKeys,
    caches: Mapping[CacheType, SessionCache],
    directories: Mapping[CacheType, Path],
    sharing: Sharing,
) -> Mapping[str, object]:
    """Drop all ticket keys and all sessions, and make a new sealing key.

    None of them is found from the first moment on. This returns when none can come back with
    a restart either: when neither worker has the former sealing key any more, or else, as with a
    key in a file, when all sessions are removed from the disk, and the stores that were set aside
    with them. In the first case sessions are removed in the background, and what was set aside stays:
    nobody can open it.

    Args:
        custody: The sealing keys.
        ticket_keys: The ticket keys.
        caches: The sessions.
        directories: Of the caches that are enabled, the stores' directories.
        sharing: The stores that hosts share.

    Returns:
        ``status``: NOT_DONE when there are ``failures``.
        ``sealing_key_renewed``: whether nobody can open any more what was sealed before.
        ``ticket_seconds``: for how long running smtpd processes may accept old tickets, at the worst.
        ``set_aside_removed``: how many stores that were set aside are removed.
        ``failures``: by cache, why sessions could not be removed that a restart may bring back;
            by "ticket keys" and "ticket keys of the farm", why those could not; and by "shared store"
            and its address, why other hosts may still find sessions there.
        ``farm``: what is left to do on the other hosts of a farm; empty for nothing.
    """
    renewed = custody.renew()
    seconds, not_saved = ticket_keys.revoke()
    farm_keys = None if ticket_keys.farm is None else ticket_keys.farm.revoke()
    removals = {cache_type: cache.revoke() for cache_type, cache in caches.items()}
    shared = sharing.revoke()
    _log.warning("all ticket keys and sessions are revoked")
    renewed = renewed and await custody.shared(within=_SHARING_SECONDS)
    failures = dict[str, str]()
    removed = 0
    if not renewed:
        failures = await _reasons(removals)
        removed = await _destroy_set_aside(directories, failures)
        if not_saved := not_saved or await ticket_keys.settled():
            failures[_TICKET_KEYS] = not_saved
    failures |= await shared
    of_farm = FarmRevocation() if farm_keys is None else await farm_keys
    if of_farm.failure:
        failures[_FARM_KEYS] = of_farm.failure
    return {
        "status": int(Status.NOT_DONE if failures else Status.OK),
        "sealing_key_renewed": renewed,
        "ticket_seconds": seconds,
        "set_aside_removed": removed,
        "failures": failures,
        "farm": of_farm.advice,
    }


async def _reasons(removals: Mapping[CacheType, "asyncio.Task[str]"]) -> dict[str, str]:
    if not removals:
        return {}
    # Not gather: a client that does not wait for the answer must not end them.
    await asyncio.wait(list(removals.values()))
    return {cache_type.value: reason for cache_type, task in removals.items() if (reason := _reason(task))}


async def _destroy_set_aside(directories: Mapping[CacheType, Path], failures: dict[str, str]) -> int:
    """Remove what was set aside; add why some of it stays, and return how many are gone."""
    removed = 0
    for cache_type, directory in directories.items():
        gone, reasons = await asyncio.to_thread(destroy_set_aside, directory)
        removed += gone
        if reasons:
            former = [failures[cache_type.value]] if cache_type.value in failures else []
            failures[cache_type.value] = "; ".join([*former, *reasons])
    if removed:
        _log.warning("%d session stores that were set aside as damaged are removed", removed)
    return removed


def _reason(removal: "asyncio.Task[str]") -> str:
    return "the cache was closed, or revoked again" if removal.cancelled() else removal.result()
