"""The Postfix attribute protocol as its client speaks it: requests to bytes, bytes to replies.

It is strict where Postfix's own client is not: whatever tlsmgr(8) would not answer is a
ProtocolError. Source: Postfix's tls_mgr(3). No I/O.
"""

from collections.abc import Callable
from typing import Final

from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import (
    DeleteRequest,
    LookupReply,
    LookupRequest,
    MalformedRequest,
    PolicyReply,
    PolicyRequest,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    StatusReply,
    TicketKeyReply,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)
from tlsmgr.wire.arguments import describe
from tlsmgr.wire.attribute_lists import (
    ListReader,
    Oversized,
    decode_base64,
    decode_integer,
    encode_base64,
    encode_integer,
    encode_list,
)
from tlsmgr.wire.attributes import ANNOUNCEMENT

_CACHABLE: Final = {0: False, 1: True}
_STATUSES: Final = {int(status): status for status in Status}


def encode_request(request: Request) -> bytes:
    """Return the attribute list for ``request``, as Postfix's client sends it.

    Raises:
        ValueError: the cache id contains a null byte, which this protocol cannot carry.
        TypeError: a MalformedRequest, which says too little to be sent.
    """
    return encode_list(_request_pairs(request))


def _request_pairs(request: Request) -> list[tuple[bytes, bytes]]:
    match request:
        case SeedRequest():
            return [(b"request", b"seed"), (b"size", encode_integer(request.size))]
        case PolicyRequest():
            return [(b"request", b"policy"), (b"cache_type", request.cache_type.value.encode())]
        case TicketKeyRequest():
            return [(b"request", b"tktkey"), (b"keyname", encode_base64(request.name))]
        case LookupRequest():
            return _entry_pairs(b"lookup", request)
        case DeleteRequest():
            return _entry_pairs(b"delete", request)
        case UpdateRequest():
            return [*_entry_pairs(b"update", request), (b"session", encode_base64(request.session))]
        case MalformedRequest():
            raise TypeError("a malformed request cannot be sent")


def _entry_pairs(
    verb: bytes, request: LookupRequest | DeleteRequest | UpdateRequest
) -> list[tuple[bytes, bytes]]:
    return [
        (b"request", verb),
        (b"cache_type", request.cache_type.value.encode()),
        (b"cache_id", request.cache_id),
    ]


class ReplyReader:
    """Reads the server's side of one connection out of its bytes.

    Every method that raises ProtocolError leaves a connection that is of no more use.
    """

    __slots__ = ("_lists",)

    def __init__(self, limit: int) -> None:
        self._lists = ListReader(limit)

    @property
    def pending(self) -> bool:
        """Whether bytes are held that were not yet given as a reply."""
        return self._lists.pending

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, in chunks of any size."""
        self._lists.feed(data)

    def read_announcement(self) -> bool:
        """Take the announcement off; return False when more bytes are needed for it.

        Raises:
            ProtocolError: the server began with something else.
        """
        fields = self._next_list()
        if fields is None:
            return False
        if encode_list(zip(fields[::2], fields[1::2], strict=True)) != ANNOUNCEMENT:
            raise ProtocolError("the server did not announce tlsmgr_protocol")
        return True

    def next_reply(self, verb: Verb | None) -> Reply | None:
        """Return the reply to a request of that verb, or None when more bytes are needed.

        A verb of None stands for a request that nobody knows: its reply has the status only.
        A payload that comes with a status other than OK is dropped: Postfix up to 3.11
        sends what another request left in its buffer.

        Raises:
            ProtocolError: the bytes are no such reply, or longer than the limit.
        """
        fields = self._next_list()
        return None if fields is None else _DECODERS[verb](fields)

    def _next_list(self) -> list[bytes] | None:
        fields = self._lists.next_list()
        if isinstance(fields, Oversized):
            raise ProtocolError("the reply is longer than the limit")
        return fields


def decode_reply(verb: Verb | None, data: bytes) -> Reply:
    """Return the reply that ``data`` is, all of it.

    Raises:
        ProtocolError: the bytes are no such reply, or not exactly one.
    """
    reader = ReplyReader(len(data))
    reader.feed(data)
    reply = reader.next_reply(verb)
    if reply is None or reader.pending:
        raise ProtocolError("expected exactly one reply")
    return reply


def _decode_seed(fields: list[bytes]) -> Reply:
    status, seed = _status_and_data(fields, b"seed")
    return SeedReply(status=status, seed=seed)


def _decode_policy(fields: list[bytes]) -> Reply:
    status, (cachable_text, timeout_text) = _values(fields, b"cachable", b"timeout")
    cachable = _integer("cachable", cachable_text)
    if cachable not in _CACHABLE:
        raise ProtocolError(f"cachable: expected 0 or 1, got {cachable}")
    timeout = _integer("timeout", timeout_text)
    return PolicyReply(status=status, cachable=_CACHABLE[cachable], timeout=timeout)


def _decode_lookup(fields: list[bytes]) -> Reply:
    status, session = _status_and_data(fields, b"session")
    return LookupReply(status=status, session=session)


def _decode_status(fields: list[bytes]) -> Reply:
    status, _ = _values(fields)
    return StatusReply(status=status)


def _decode_ticket_key(fields: list[bytes]) -> Reply:
    status, key_buffer = _status_and_data(fields, b"keybuf")
    return TicketKeyReply(status=status, key_buffer=key_buffer)


_DECODERS: Final[dict[Verb | None, Callable[[list[bytes]], Reply]]] = {
    Verb.SEED: _decode_seed,
    Verb.POLICY: _decode_policy,
    Verb.LOOKUP: _decode_lookup,
    Verb.UPDATE: _decode_status,
    Verb.DELETE: _decode_status,
    Verb.TICKET_KEY: _decode_ticket_key,
    None: _decode_status,
}


def _values(fields: list[bytes], *names: bytes) -> tuple[Status, list[bytes]]:
    """Return the status and the other values of a reply with exactly these names in order."""
    wanted = [b"status", *names]
    if fields[::2] != wanted:
        got = ", ".join(map(describe, fields[: 2 * len(wanted) + 2 : 2])) or "nothing"
        raise ProtocolError(f"expected the attributes {b', '.join(wanted).decode()}, got {got}")
    number = _integer("status", fields[1])
    if number not in _STATUSES:
        raise ProtocolError(f"status: expected 0, -1 or -2, got {number}")
    return _STATUSES[number], fields[3::2]


def _status_and_data(fields: list[bytes], name: bytes) -> tuple[Status, bytes]:
    status, (text,) = _values(fields, name)
    data = decode_base64(text)
    if data is None:
        raise ProtocolError(f"{name.decode()}: expected base64")
    return status, data if status is Status.OK else b""


def _integer(name: str, text: bytes) -> int:
    number = decode_integer(text)
    if number is None:
        raise ProtocolError(f"{name}: expected a decimal number, got {describe(text)}")
    return number
