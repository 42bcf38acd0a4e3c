"""The cache server's methods for who looks after it: list, flush, keys, explain.

None tells a session or a key's secret, and none holds the event loop for more than 2 ms at once.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from tlsmgr.errors import ProtocolError, Status, StoreBusyError
from tlsmgr.messages import TICKET_KEY_NAME_SIZE, CacheType
from tlsmgr.processes.rpc_dialogue import Method, Result, without_params
from tlsmgr.sealing.sealer import OVERHEAD
from tlsmgr.service.flushing import Step, flush_step
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.ticket_keys import TicketKeys
from tlsmgr.wire.arguments import describe

_CACHE_TYPES = {cache_type.value.encode(): cache_type for cache_type in CacheType}
# One call's share of a flush: short enough to show progress, and for a client that went away.
_FLUSH_SECONDS = 0.25
_STEP_PAUSE_SECONDS = 0.001
_BUSY_SECONDS = 2.0
_BUSY_PAUSE_SECONDS = 0.01
_NUMBER_MAX = 2**63 - 1


class CacheMethods:
    """Serves these methods.

    Args:
        caches: All caches; which object serves a type may change.
        ticket_keys: The ticket keys.
    """

    def __init__(self, caches: Mapping[CacheType, SessionCache], ticket_keys: TicketKeys) -> None:
        self._caches = caches
        self._ticket_keys = ticket_keys

    @property
    def by_name(self) -> Mapping[str, Method]:
        """The methods, as ``RpcMethods`` takes them."""
        return {
            "list": self._list,
            "flush": self._flush,
            "keys": without_params(self._keys),
            "explain": self._explain,
        }

    def _list(self, params: tuple[object, ...]) -> Result:
        """``cache_type, after``: entries, each ``(id, stored_at, expires_at, bytes)``, and ``next``."""
        cache, after = self._cache_and_place(params, 2)
        page = cache.entries(after) if cache.is_enabled else []
        entries = [
            (entry.cache_id, entry.stored_at, entry.expires_at, max(0, entry.size - OVERHEAD))
            for entry in page
        ]
        return {"status": int(Status.OK), "entries": entries, "next": page[-1].number if page else None}

    def _flush(self, params: tuple[object, ...]) -> Coroutine[Any, Any, Result]:
        """``cache_type, after, destination, dry_run``: how many went (or would go), and ``next``."""
        cache, after = self._cache_and_place(params, 4)
        destination, dry_run = params[2:]
        if not isinstance(destination, bytes) or not isinstance(dry_run, bool):
            raise ProtocolError("flush: expected cache_type, after, destination (text) and dry_run (boolean)")
        return _flush(cache, after, destination.decode("utf-8", "backslashreplace"), dry_run=dry_run)

    def _keys(self) -> Result:
        return {
            "status": int(Status.OK),
            "timeout": self._ticket_keys.timeout,
            "lease": self._ticket_keys.lease,
            "keys": self._ticket_keys.describe(),
        }

    def _explain(self, params: tuple[object, ...]) -> Result:
        (name,) = params if len(params) == 1 else (None,)
        if not isinstance(name, bytes) or len(name) != TICKET_KEY_NAME_SIZE:
            raise ProtocolError(f"explain: expected a key's name, {TICKET_KEY_NAME_SIZE} bytes")
        return {"status": int(Status.OK), **self._ticket_keys.explain(name)}

    def _cache_and_place(self, params: tuple[object, ...], count: int) -> tuple[SessionCache, int]:
        if len(params) != count:
            raise ProtocolError(f"expected {count} params, got {len(params)}")
        name, after = params[:2]
        if not isinstance(name, bytes) or name not in _CACHE_TYPES:
            shown = describe(name) if isinstance(name, bytes) else type(name).__name__
            raise ProtocolError(f"cache_type: expected smtpd, smtp or lmtp, got {shown}")
        if not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= _NUMBER_MAX:
            raise ProtocolError("after: expected 0, or what next was in the answer before")
        return self._caches[_CACHE_TYPES[name]], after


async def _flush(cache: SessionCache, after: int, destination: str, *, dry_run: bool) -> Result:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + _FLUSH_SECONDS
    chosen = 0
    place: int | None = after if cache.is_enabled else None
    while place is not None:
        step = await _undisturbed_step(cache, place, destination, dry_run=dry_run)
        chosen += step.chosen
        place = step.next
        if loop.time() > ends_at:
            break
        await asyncio.sleep(_STEP_PAUSE_SECONDS)
    return {"status": int(Status.OK), "chosen": chosen, "next": place}


async def _undisturbed_step(cache: SessionCache, after: int, destination: str, *, dry_run: bool) -> Step:
    loop = asyncio.get_running_loop()
    gives_up_at = loop.time() + _BUSY_SECONDS
    while True:
        try:
            return flush_step(cache, after, destination, dry_run=dry_run)
        except StoreBusyError:
            if loop.time() > gives_up_at:
                raise
        await asyncio.sleep(_BUSY_PAUSE_SECONDS)
