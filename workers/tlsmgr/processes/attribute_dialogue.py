"""A connection that speaks the Postfix attribute protocol."""

import asyncio
import logging
from collections.abc import Callable

from tlsmgr.messages import Request
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
    """

    in_order = True

    def __init__(self, limit: int, answer: Callable[[Request], Answer], *, announces: bool) -> None:
        self.greeting = attributes.ANNOUNCEMENT if announces else b""
        self._reader = attributes.RequestReader(limit)
        self._take_whole = self._reader.take_whole
        self._answer = answer
        self.feed = self._reader.feed

    @property
    def is_mid_request(self) -> bool:
        """Whether a request has arrived in part."""
        return self._reader.pending

    def answer_whole(self, data: bytes) -> bytes | Deferred | None:
        """Take what arrived; return the answer if that was exactly one request."""
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
        reply = self._answer(request)
        if isinstance(reply, asyncio.Future):
            return Deferred(reply, attributes.encode_reply)
        return attributes.encode_reply(reply)
