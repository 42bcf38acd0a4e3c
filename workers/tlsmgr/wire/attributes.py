"""The Postfix attribute protocol of tlsmgr(8): the server's side, without I/O.

Feed a RequestReader what the socket gave, send what encode_reply returns. The client's
side is in attribute_client. Sources: Postfix's attr_scan0(3), attr_print0(3) and tls_mgr(3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tlsmgr.errors import Status
from tlsmgr.messages import (
    SEED_SIZE_MAX,
    CacheType,
    LookupReply,
    LookupRequest,
    MalformedRequest,
    PolicyReply,
    Reply,
    Request,
    SeedReply,
    StatusReply,
    Verb,
)
from tlsmgr.wire.arguments import (
    delete_request,
    describe,
    lookup_request,
    policy_request,
    seed_request,
    ticket_key_request,
    update_request,
)
from tlsmgr.wire.attribute_lists import (
    NUL,
    ListReader,
    Oversized,
    decode_base64,
    decode_integer,
    encode_base64,
    encode_integer,
    encode_list,
)

#: What the server sends first since Postfix 3.6, and its client waits for.
ANNOUNCEMENT: Final = encode_list([(b"protocol", b"tlsmgr_protocol")])

_WAKEUP: Final = b"W\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup:
    """master(8) wakes the service up: close the connection and answer nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a request looks like: its attributes in order, and what makes the request of them."""

    verb: Verb
    names: list[bytes]  #: of all attributes, "request" first
    decode: Callable[[list[bytes]], Request]  #: takes name, value, name, value ...
    framed: list[bytes]  #: ``names`` with the empty one that ends the list
    size: int  #: how many pieces the whole list has when split at its nulls


def _shape(verb: Verb, names: list[bytes], decode: Callable[[list[bytes]], Request]) -> _Shape:
    framed = [b"request", *names, b""]
    return _Shape(verb=verb, names=framed[:-1], decode=decode, framed=framed, size=2 * len(framed))


def _decode_seed(fields: list[bytes]) -> Request:
    size = decode_integer(fields[3])
    if size is None:
        reason = f"size: expected a decimal number, got {describe(fields[3])}"
        return MalformedRequest(verb=Verb.SEED, reason=reason)
    return seed_request(size)


def _decode_lookup(fields: list[bytes]) -> Request:
    return lookup_request(fields[3], fields[5])


def _decode_delete(fields: list[bytes]) -> Request:
    return delete_request(fields[3], fields[5])


def _decode_policy(fields: list[bytes]) -> Request:
    return policy_request(fields[3])


def _decode_update(fields: list[bytes]) -> Request:
    session = decode_base64(fields[7])
    if session is None:
        return MalformedRequest(verb=Verb.UPDATE, reason="session: expected base64")
    return update_request(fields[3], fields[5], session)


def _decode_ticket_key(fields: list[bytes]) -> Request:
    name = decode_base64(fields[3])
    if name is None:
        return MalformedRequest(verb=Verb.TICKET_KEY, reason="keyname: expected base64")
    return ticket_key_request(name)


_SHAPES: Final = {
    shape.verb.value.encode(): shape
    for shape in (
        _shape(Verb.SEED, [b"size"], _decode_seed),
        _shape(Verb.POLICY, [b"cache_type"], _decode_policy),
        _shape(Verb.LOOKUP, [b"cache_type", b"cache_id"], _decode_lookup),
        _shape(Verb.UPDATE, [b"cache_type", b"cache_id", b"session"], _decode_update),
        _shape(Verb.DELETE, [b"cache_type", b"cache_id"], _decode_delete),
        _shape(Verb.TICKET_KEY, [b"keyname"], _decode_ticket_key),
    )
}


def _frequent_requests() -> dict[bytes, Request]:
    # Of these every client sends the same bytes, so they are decoded once.
    texts = [b"request\0seed\0size\0%d\0\0" % size for size in range(1, SEED_SIZE_MAX + 1)]
    texts += [b"request\0policy\0cache_type\0%b\0\0" % each.value.encode() for each in CacheType]
    texts.append(b"request\0tktkey\0keyname\0\0\0")
    return {text: _SHAPES[(fields := text.split(NUL))[1]].decode(fields) for text in texts}


_FREQUENT: Final = _frequent_requests()
_FREQUENT_SIZE_MAX: Final = max(map(len, _FREQUENT))
# Of a lookup, nothing but the cache id changes.
_CACHE_ID: Final = b"\0cache_id\0"
_LOOKUP_HEADS: Final = {
    b"request\0lookup\0cache_type\0" + each.value.encode(): each for each in CacheType
}  # fmt: skip


def _whole_lookup(chunk: bytes) -> LookupRequest | None:
    head, _, tail = chunk.partition(_CACHE_ID)
    cache_type = _LOOKUP_HEADS.get(head)
    if cache_type is None or tail.find(NUL) != len(tail) - 2 or tail[-1]:
        return None
    return LookupRequest(cache_type=cache_type, cache_id=tail[:-2])


def _whole_list(chunk: bytes) -> Request | None:
    fields = chunk.split(NUL)
    shape = _SHAPES.get(fields[1]) if len(fields) > 1 else None
    if shape is None or len(fields) != shape.size or fields[::2] != shape.framed or fields[-1]:
        return None
    return shape.decode(fields)


class RequestReader:
    """Reads the requests of one connection out of its bytes; never raises for any bytes.

    Call ``next_request`` until it gives None after each ``feed``: then no more than
    ``limit`` bytes and one chunk are ever held. What it gives does not depend on how
    the bytes were cut into chunks, and after a malformed request it stays in step.
    """

    __slots__ = ("_chunk", "_limit", "_lists", "warning")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lists = ListReader(limit)
        self._chunk = b""
        #: What is worth logging about the request given last, though it is served; or None.
        self.warning: str | None = None

    @property
    def pending(self) -> bool:
        """Whether, once ``next_request`` gave None, a part of a request was received."""
        return bool(self._chunk) or self._lists.pending

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, in chunks of any size."""
        if self._chunk or self._lists.pending:
            self._lists.feed(self._chunk + data)
            self._chunk = b""
        else:
            self._chunk = data

    def next_request(self) -> Request | Wakeup | None:
        """Return the next request, or None when more bytes are needed.

        A malformed list gives one MalformedRequest at its end. One longer than the
        limit gives it as soon as that is known; the rest of it is dropped.
        """
        self.warning = None
        if self._chunk:
            chunk, self._chunk = self._chunk, b""
            request = self._whole_request(chunk)
            if request is not None:
                return request
            self._lists.feed(chunk)
        elif not self._lists.pending:
            return None
        if self._lists.take_prefix(_WAKEUP):
            return Wakeup()
        fields = self._lists.next_list()
        return None if fields is None else self._decode(fields)

    def _whole_request(self, chunk: bytes) -> Request | None:
        """Decode a chunk that is exactly one request with the right names; else None.

        The fast path: no search for the end of the list. It gives what the other way
        would give, since it takes only what has every name in its place.
        """
        size = len(chunk)
        if size > self._limit:
            return None
        if size <= _FREQUENT_SIZE_MAX and chunk in _FREQUENT:
            return _FREQUENT[chunk]
        return _whole_lookup(chunk) or _whole_list(chunk)

    def _decode(self, fields: list[bytes] | Oversized) -> Request:
        if isinstance(fields, Oversized):
            return _oversized(fields.fields, self._limit)
        if fields[:1] != [b"request"]:
            reason = f"expected attribute request first, got {_describe_name(fields, 0)}"
            return MalformedRequest(verb=None, reason=reason)
        shape = _SHAPES.get(fields[1])
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
    shape = _SHAPES.get(fields[1]) if fields[:1] == [b"request"] and len(fields) > 1 else None
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
_END: Final = NUL + NUL


def encode_reply(reply: Reply) -> bytes:
    """Return the attribute list for ``reply``, in the order that Postfix's client reads it.

    A payload goes out with status OK only. Postfix's own number format makes -1 of the
    status 4294967295, and a timeout is a number of seconds.
    """
    if isinstance(reply, LookupReply):
        return _encode_data(reply.status, b"session", reply.session)
    if isinstance(reply, SeedReply):
        return _encode_data(reply.status, b"seed", reply.seed)
    if isinstance(reply, StatusReply):
        return _STATUS_REPLIES[reply.status]
    if isinstance(reply, PolicyReply):
        return _encode_policy(reply)
    return _encode_data(reply.status, b"keybuf", reply.key_buffer)


def _encode_data(status: Status, name: bytes, data: bytes) -> bytes:
    if status is not Status.OK:
        return _EMPTY_REPLIES[name, status]
    return _OK_HEADS[name] + encode_base64(data) + _END


def _encode_policy(reply: PolicyReply) -> bytes:
    numbers = (encode_integer(reply.status), encode_integer(reply.cachable), encode_integer(reply.timeout))
    return b"status\0%b\0cachable\0%b\0timeout\0%b\0\0" % numbers
