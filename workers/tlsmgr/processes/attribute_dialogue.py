"""A connection that speaks the Postfix attribute protocol."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from tlsmgr.figures.requests import RequestFigures
from tlsmgr.messages import Reply, Request
from tlsmgr.processes.request_names import end_timing, request_figures
from tlsmgr.processes.short_way import Recall, recall_nothing
from tlsmgr.service.answers import Answer
from tlsmgr.transport.dialogue import Deferred, EndOfDialogue
from tlsmgr.wire import attributes

_log = logging.getLogger(__name__)


class AttributeDialogue:
    """Reads requests, has them answered, and writes the replies in their order.

    Args:
        limit: Bytes of one request.
        answer: Answers a request.
        announces: Whether the server speaks first, as clients of Postfix 3.6 and later expect.
        figures: Counts the answers of all connections.
        recalled: Finds the session that a lookup asks for, and counts it: see ``ShortWay``.
    """

    in_order = True

    def __init__(
        self,
        limit: int,
        answer: Callable[[Request], Answer],
        *,
        announces: bool,
        figures: RequestFigures | None = None,
        recalled: Recall = recall_nothing,
    ) -> None:
        self.greeting = attributes.ANNOUNCEMENT if announces else b""
        self._reader = attributes.RequestReader(limit)
        self._find_lookup = self._reader.find_lookup
        self._take_whole = self._reader.take_whole
        self._answer = answer
        self._figures = figures or request_figures()
        self._recalled = recalled
        self.feed = self._reader.feed

    @property
    def is_mid_request(self) -> bool:
        """Whether a request has arrived in part."""
        return self._reader.pending

    def answer_whole(self, data: bytes) -> bytes | Deferred | None:
        """Take what arrived; return the answer if that was exactly one request."""
        lookup = self._find_lookup(data)
        if lookup is not None:
            session = self._recalled(*lookup)
            if session is not None:
                return attributes.encode_found(session)
        request = self._take_whole(data)
        if request is None:
            return None
        return self._answered(request)

    def next_answer(self) -> bytes | Deferred | None:
        """Return the next answer; a wakeup from master(8) ends the dialogue."""
        request = self._reader.next_request()
        if request is None:
            return None
        if isinstance(request, attributes.Wakeup):
            raise EndOfDialogue
        if self._reader.warning is not None:
            _log.warning("%s", self._reader.warning)
        return self._answered(request)

    def _answered(self, request: Request) -> bytes | Deferred:
        figures = self._figures
        figures.until_timed -= 1
        if not figures.until_timed:
            return self._timed(request)
        reply = self._answer(request)
        if isinstance(reply, asyncio.Future):
            return Deferred(reply, partial(self._encode_late, type(request)))
        figures.rows[type(request)][reply.status] += 1
        return attributes.encode_reply(reply)

    def _encode_late(self, kind: type[Request], reply: Reply) -> bytes:
        self._figures.rows[kind][reply.status] += 1
        return attributes.encode_reply(reply)

    def _timed(self, request: Request) -> bytes | Deferred:
        begun = self._figures.begin_timing()
        answer = self._answered(request)
        return end_timing(self._figures, type(request), begun, answer)
