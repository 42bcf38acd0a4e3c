"""Requests in, replies out: what the cache server answers, whichever protocol asks."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupRequest,
    MalformedRequest,
    PolicyReply,
    PolicyRequest,
    Reply,
    Request,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
    failure,
)
from tlsmgr.service.seeds import SeedReserve
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.ticket_keys import TicketKeys

_log = logging.getLogger(__name__)

Answer: TypeAlias = Reply | asyncio.Future[Any]


class Answers:
    """Finds for each request who answers it.

    Args:
        caches: The three caches, enabled or not.
        seeds: Where seeds come from.
        ticket_keys: Where ticket keys come from.
    """

    def __init__(
        self, caches: Mapping[CacheType, SessionCache], seeds: SeedReserve, ticket_keys: TicketKeys
    ) -> None:
        self.caches = caches
        self.seeds = seeds
        self.ticket_keys = ticket_keys
        self._answer_by_type: dict[type[Request], Callable[[Any], Answer]] = {
            SeedRequest: seeds.answer,
            PolicyRequest: self._policy,
            LookupRequest: self._lookup,
            UpdateRequest: self._update,
            DeleteRequest: self._delete,
            TicketKeyRequest: ticket_keys.answer,
            MalformedRequest: self._refuse,
        }

    def answer(self, request: Request) -> Answer:
        """Return the reply, or a future of one that comes within a little more than a second."""
        return self._answer_by_type[type(request)](request)

    def recall(self, cache_type: CacheType, cache_id: bytes) -> bytes | None:
        """Return the session that a lookup would find, if memory alone tells.

        The short way, for nearly all lookups: no request and no reply is made. None says nothing;
        ``answer`` is to follow.
        """
        return self.caches[cache_type].recall(cache_id)

    def _policy(self, request: PolicyRequest) -> PolicyReply:
        return self.caches[request.cache_type].policy

    def _lookup(self, request: LookupRequest) -> Answer:
        return self.caches[request.cache_type].lookup(request)

    def _update(self, request: UpdateRequest) -> Answer:
        return self.caches[request.cache_type].update(request)

    def _delete(self, request: DeleteRequest) -> Answer:
        return self.caches[request.cache_type].delete(request)

    def _refuse(self, request: MalformedRequest) -> Reply:
        _log.warning("malformed request: %s", request.reason)
        return failure(request.verb)
