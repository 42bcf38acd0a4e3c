"""Revocation: of the ticket keys, of the sealing key, and of every session."""

import asyncio
import logging
from collections.abc import Mapping

from tlsmgr.errors import Status
from tlsmgr.messages import CacheType
from tlsmgr.sealing.custody import Custody
from tlsmgr.service.farm_keys import FarmRevocation
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.ticket_keys import TicketKeys

_log = logging.getLogger(__name__)

# The other worker answers within milliseconds, or does not.
_SHARING_SECONDS = 2.0
_TICKET_KEYS = "ticket keys"
_FARM_KEYS = "ticket keys of the farm"


async def revoke(
    custody: Custody, ticket_keys: TicketKeys, caches: Mapping[CacheType, SessionCache]
) -> Mapping[str, object]:
    """Drop all ticket keys and all sessions, and make a new sealing key.

    None of them is found from the first moment on. This returns when none can come back with
    a restart either: when neither worker has the former sealing key any more, or else, as with a
    key in a file, when all sessions are removed from the disk. In the first case they are
    removed in the background.

    Returns:
        ``status``: NOT_DONE when there are ``failures``.
        ``sealing_key_renewed``: whether nobody can open any more what was sealed before.
        ``ticket_seconds``: for how long running smtpd processes may accept old tickets, at the worst.
        ``failures``: by cache, why sessions could not be removed that a restart may bring back;
            and by "ticket keys" and "ticket keys of the farm", why those could not.
        ``farm``: what is left to do on the other hosts of a farm; empty for nothing.
    """
    renewed = custody.renew()
    seconds, not_saved = ticket_keys.revoke()
    farm_keys = None if ticket_keys.farm is None else ticket_keys.farm.revoke()
    removals = {cache_type: cache.revoke() for cache_type, cache in caches.items()}
    _log.warning("all ticket keys and sessions are revoked")
    renewed = renewed and await custody.shared(within=_SHARING_SECONDS)
    failures = {} if renewed else await _reasons(removals)
    of_farm = FarmRevocation() if farm_keys is None else await farm_keys
    if of_farm.failure:
        failures[_FARM_KEYS] = of_farm.failure
    if not_saved and not renewed:
        failures[_TICKET_KEYS] = not_saved
    return {
        "status": int(Status.NOT_DONE if failures else Status.OK),
        "sealing_key_renewed": renewed,
        "ticket_seconds": seconds,
        "failures": failures,
        "farm": of_farm.advice,
    }


async def _reasons(removals: Mapping[CacheType, "asyncio.Task[str]"]) -> dict[str, str]:
    if not removals:
        return {}
    # Not gather: a client that does not wait for the answer must not end them.
    await asyncio.wait(list(removals.values()))
    return {cache_type.value: reason for cache_type, task in removals.items() if (reason := _reason(task))}


def _reason(removal: "asyncio.Task[str]") -> str:
    return "the cache was closed, or revoked again" if removal.cancelled() else removal.result()
