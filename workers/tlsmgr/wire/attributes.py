"""The Postfix attribute protocol of tlsmgr(8): the server's side, without I/O.

Feed a RequestReader what the socket gave, send what encode_reply returns. The client's
side is in attribute_client. Sources: Postfix's attr_scan0(3), attr_print0(3) and tls_mgr(3).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tlsmgr.errors import Status
from tlsmgr.messages import (
    CacheType,
    LookupReply,
    MalformedRequest,
    PolicyReply,
    Reply,
    Request,
    SeedReply,
    StatusReply,
)
from tlsmgr.wire.arguments import describe
from tlsmgr.wire.attribute_lists import (
    NUL,
    ListReader,
    Oversized,
    encode_base64,
    encode_integer,
    encode_list,
)
from tlsmgr.wire.request_shapes import SHAPES, SHORTEST_LOOKUP, lookup_in, whole_request

#: What the server sends first since Postfix 3.6, and its client waits for.
ANNOUNCEMENT: Final = encode_list([(b"protocol", b"tlsmgr_protocol")])

_WAKEUP: Final = b"W\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """master(8) wakes the service up: close the connection and answer nothing."""


class RequestReader:
    """Reads the requests of one connection out of its bytes; never raises for any bytes.

    Call ``next_request`` until it gives None after each ``feed``: then no more than
    ``limit`` bytes and one chunk are ever held. What it gives does not depend on how
    the bytes were cut into chunks, and after a malformed request it stays in step.
    """

    __slots__ = ("_chunk", "_holds", "_limit", "_lists", "warning")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lists = ListReader(limit)
        self._chunk = b""
        self._holds = False  # any bytes at all
        #: What is worth logging about the request given last, though it is served; or None.
        self.warning: str | None = None

    @property
    def pending(self) -> bool:
        """Whether, once ``next_request`` gave None, a part of a request was received."""
        return self._holds

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, in chunks of any size."""
        if self._holds:
            self._lists.feed(self._chunk + data)
            self._chunk = b""
        else:
            self._chunk = data
            self._holds = bool(data)

    def find_lookup(self, data: bytes) -> tuple[CacheType, bytes] | None:
        """Return the cache and the cache id if the next bytes are exactly one lookup.

        They are not taken: unless it is answered, ``take_whole`` or ``feed`` is to follow.
        """
        if self._holds or not SHORTEST_LOOKUP <= len(data) <= self._limit:
            return None
        return lookup_in(data)

    def take_whole(self, data: bytes) -> Request | None:
        """Take the next bytes; return the request if they are exactly one, without any defect.

        The same as ``feed`` and then ``next_request``, in one step. With None, that is to follow.
        """
        if not self._holds and len(data) <= self._limit:
            request = whole_request(data)
            if request is not None:
                return request
        self.feed(data)
        return None

    def next_request(self) -> Request | Wakeup | None:
        """Return the next request, or None when more bytes are needed.

        A malformed list gives one MalformedRequest at its end. One longer than the
        limit gives it as soon as that is known; the rest of it is dropped.
        """
        self.warning = None
        request = self._read()
        self._holds = self._lists.pending
        return request

    def _read(self) -> Request | Wakeup | None:
        if self._chunk:
            chunk, self._chunk = self._chunk, b""
            request = whole_request(chunk) if len(chunk) <= self._limit else None
            if request is not None:
                return request
            self._lists.feed(chunk)
        elif not self._lists.pending:
            return None
        if self._lists.take_prefix(_WAKEUP):
            return Wakeup()
        fields = self._lists.next_list()
        return None if fields is None else self._decode(fields)

    def _decode(self, fields: list[bytes] | Oversized) -> Request:
        if isinstance(fields, Oversized):
            return _oversized(fields.fields, self._limit)
        if fields[:1] != [b"request"]:
            reason = f"expected attribute request first, got {_describe_name(fields, 0)}"
            return MalformedRequest(verb=None, reason=reason)
        shape = SHAPES.get(fields[1])
        if shape is None:
            return MalformedRequest(verb=None, reason=f"request: unknown, {describe(fields[1])}")
        for position, name in enumerate(shape.names):
            if fields[2 * position : 2 * position + 1] != [name]:
                reason = f"expected attribute {name.decode()}, got {_describe_name(fields, position)}"
                return MalformedRequest(verb=shape.verb, reason=reason)
        if len(fields) > 2 * len(shape.names):
            extra = _describe_name(fields, len(shape.names))
            self.warning = f"{shape.verb.value}: skipped what follows the last attribute: {extra}"
        return shape.decode(fields)


def _describe_name(fields: list[bytes], position: int) -> str:
    names = fields[::2]
    return describe(names[position]) if position < len(names) else "the end of the list"


def _oversized(fields: list[bytes], limit: int) -> MalformedRequest:
    shape = SHAPES.get(fields[1]) if fields[:1] == [b"request"] and len(fields) > 1 else None
    verb = None if shape is None else shape.verb
    return MalformedRequest(verb=verb, reason=f"longer than the limit of {limit} bytes")


# Replies that carry nothing of their own are made once: this is the hot path. A failed
# request gets no payload, whatever the reply holds: nobody sees another client's secret.
_STATUS_REPLIES: Final = {
    status: encode_list([(b"status", encode_integer(status))]) for status in Status
}  # fmt: skip
_EMPTY_REPLIES: Final = {
    (name, status): encode_list([(b"status", encode_integer(status)), (name, b"")])
    for name in (b"seed", b"session", b"keybuf")
    for status in Status
}
_OK_HEADS: Final = {
    name: b"status\0%b\0%b\0" % (encode_integer(Status.OK), name)
    for name in (b"seed", b"session", b"keybuf")
}  # fmt: skip
_SESSION_HEAD: Final = _OK_HEADS[b"session"]
_END: Final = NUL + NUL


def encode_reply(reply: Reply) -> bytes:
    """Return the attribute list for ``reply``, in the order that Postfix's client reads it.

    A payload goes out with status OK only. Postfix's own number format makes -1 of the
    status 4294967295, and a timeout is a number of seconds.
    """
    if isinstance(reply, LookupReply):
        if reply.status is Status.OK:
            return encode_found(reply.session)
        return _EMPTY_REPLIES[b"session", reply.status]
    if isinstance(reply, SeedReply):
        return _encode_data(reply.status, b"seed", reply.seed)
    if isinstance(reply, StatusReply):
        return _STATUS_REPLIES[reply.status]
    if isinstance(reply, PolicyReply):
        return _encode_policy(reply.status, reply.cachable, reply.timeout)
    return _encode_data(reply.status, b"keybuf", reply.key_buffer)


def encode_found(session: bytes) -> bytes:
    """Return the reply to a lookup that found ``session``."""
    return _SESSION_HEAD + encode_base64(session) + _END


def _encode_data(status: Status, name: bytes, data: bytes) -> bytes:
    if status is not Status.OK:
        return _EMPTY_REPLIES[name, status]
    return _OK_HEADS[name] + encode_base64(data) + _END


@lru_cache(maxsize=16)  # there is one for each cache, until the configuration is another
def _encode_policy(*values: int) -> bytes:
    numbers = tuple(map(encode_integer, values))
    return b"status\0%b\0cachable\0%b\0timeout\0%b\0\0" % numbers
