"""MessagePack-RPC: bytes to calls and responses, and back, without I/O.

Source: the published MessagePack-RPC specification. A request is ``[0, msgid, method,
params]``, a response ``[1, msgid, error, result]``, a notification ``[2, method, params]``;
msgid is an unsigned 32-bit number, and messages follow each other without a length.
With ``rpc_messages`` the only one that knows msgpack.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgpack

from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import LookupReply, MalformedRequest, Reply
from tlsmgr.wire.calls import (
    MESSAGE_ID_END,
    REQUEST,
    Call,
    RemoteError,
    Response,
    WholeRequest,
    call_of,
    decode_reply,
    decode_request,
    map_of,
    result_of,
    whole_request,
)
from tlsmgr.wire.rpc_lookups import Lookup, encode_found, lookup_in
from tlsmgr.wire.rpc_messages import MessageReader, bounds

__all__ = [
    "Call",
    "CallReader",
    "RemoteError",
    "Response",
    "ResponseReader",
    "WholeRequest",
    "call_of",
    "decode_reply",
    "decode_request",
    "encode_call",
    "encode_error",
    "encode_found",
    "encode_notification",
    "encode_reply",
    "encode_result",
    "result_of",
]

_RESPONSE: Final = 1
_NOTIFICATION: Final = 2
_REQUEST_LENGTH: Final = 4
_NOTIFICATION_LENGTH: Final = 3

# A container's memory is taken when its length is read, at every level of nesting: five
# bytes could ask for half a megabyte. No call needs more than a few params; a response to
# "stats" is larger, and comes from a server that the client chose.
_CALL_LENGTH_MAX: Final = 16
_RESPONSE_LENGTH_MAX: Final = 1024


class CallReader(MessageReader):
    """Reads the calls of one connection out of its bytes.

    Call ``next_call`` until it gives None after each ``feed``: then no more than ``limit``
    bytes and one chunk are ever held. What it gives does not depend on how the bytes
    were cut into chunks.

    The line between a bad call and a bad stream: well-formed MessagePack that is
    an array which begins with 0 and an unsigned 32-bit message id is answered, whatever
    else is in it. Everything else ends the connection: other bytes, extension types
    (timestamps too), containers of more than 16 elements or 1024 levels, a message over
    the limit, a response, a notification in another form, since nobody can be told.
    """

    __slots__ = ()

    def __init__(self, limit: int) -> None:
        # Text stays bytes and maps stay lists of pairs: no text is refused as invalid, no
        # key is hashed. The method is the only text that matters here.
        unpacker = msgpack.Unpacker(
            raw=True, strict_map_key=False, object_pairs_hook=list, **bounds(limit, _CALL_LENGTH_MAX)
        )
        super().__init__(limit, unpacker)

    def find_lookup(self, data: bytes) -> Lookup | None:
        """Return the lookup if the next bytes are exactly one, in the form that is usual.

        They are not taken: unless it is answered, ``take_request`` or ``feed`` is to follow.
        """
        found = lookup_in(data)
        return found if found and len(data) <= self._limit and self.is_between_messages else None

    def take_request(self, data: bytes) -> WholeRequest | None:
        """Take the next bytes; return the request if they are exactly one of the six, well formed.

        The same as ``feed``, ``next_call`` and ``decode_request``, in one step. With None,
        ``next_call`` is to follow.

        Raises:
            ProtocolError: as ``next_call`` does.
        """
        message = self.take_whole(data)
        if message is None:
            return None
        request = whole_request(message)
        if request is None:
            self.put_back(message)
        return request

    def next_call(self) -> Call | None:
        """Return the next call, or None when more bytes are needed.

        A request in a wrong form gives a Call with ``defect`` set, to be answered with an error.

        Raises:
            ProtocolError: the connection has to end; every later call raises it again.
        """
        message = self.next_message()
        if message is None:
            return None
        try:
            return _call(message)
        except ProtocolError as error:
            self.failure = error
            raise


def _call(message: tuple[object, ...]) -> Call:
    kind = message[0] if message else None
    if type(kind) is int and kind == REQUEST:
        return _request(message)
    if type(kind) is int and kind == _NOTIFICATION and len(message) == _NOTIFICATION_LENGTH:
        method, params = message[1:]
        if isinstance(method, bytes) and isinstance(params, tuple):
            return Call(message_id=None, method=_text(method), params=params)
    raise ProtocolError("not MessagePack-RPC: expected a request or a notification")


def _request(message: tuple[object, ...]) -> Call:
    message_id = _message_id(message)
    if len(message) != _REQUEST_LENGTH:
        return _defective(message_id, f"request: expected 4 elements, got {len(message)}")
    method, params = message[2:]
    if not isinstance(method, bytes):
        return _defective(message_id, "method: expected text")
    if not isinstance(params, tuple):
        return _defective(message_id, "params: expected an array")
    return Call(message_id=message_id, method=_text(method), params=params)


def _defective(message_id: int, defect: str) -> Call:
    return Call(message_id=message_id, method="", params=(), defect=defect)


def _text(method: bytes) -> str:
    return method.decode("utf-8", "backslashreplace")


def _message_id(message: tuple[object, ...]) -> int:
    message_id = message[1] if len(message) > 1 else None
    if type(message_id) is not int or not 0 <= message_id < MESSAGE_ID_END:
        raise ProtocolError("not MessagePack-RPC: expected a message id of 0 to 4294967295")
    return message_id


class ResponseReader(MessageReader):
    """Reads the responses on one connection out of its bytes; bounded like CallReader."""

    __slots__ = ()

    def __init__(self, limit: int) -> None:
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", **bounds(limit, _RESPONSE_LENGTH_MAX))
        super().__init__(limit, unpacker)

    def next_response(self) -> Response | None:
        """Return the next response, or None when more bytes are needed.

        Raises:
            ProtocolError: the connection has to end; every later call raises it again.
        """
        message = self.next_message()
        if message is None:
            return None
        try:
            return _response(message)
        except ProtocolError as error:
            self.failure = error
            raise


def _response(message: tuple[object, ...]) -> Response:
    if len(message) != _REQUEST_LENGTH or type(message[0]) is not int or message[0] != _RESPONSE:
        raise ProtocolError("not MessagePack-RPC: expected a response")
    return Response(message_id=_message_id(message), error=message[2], result=message[3])


# Text that cannot be UTF-8 (a file name in an error, say) is escaped rather than refused.
_pack: Final = msgpack.Packer(unicode_errors="backslashreplace").pack


def encode_reply(message_id: int, reply: Reply | MalformedRequest) -> bytes:
    """Return the response with the map of ``reply``, or the error that a bad request is.

    ``cachable`` is a boolean in it. A payload goes out with status OK only.
    """
    if isinstance(reply, LookupReply) and reply.status is Status.OK:  # the hot path
        return _pack((_RESPONSE, message_id, None, {"status": 0, "session": reply.session}))
    if isinstance(reply, MalformedRequest):
        return encode_error(message_id, Status.FAILED, reply.reason)
    return _pack((_RESPONSE, message_id, None, map_of(reply)))


def encode_result(message_id: int, result: Mapping[str, object]) -> bytes:
    """Return the response with this result, whose values MessagePack must know."""
    return _pack((_RESPONSE, message_id, None, dict(result)))


def encode_error(message_id: int, status: Status, message: str) -> bytes:
    """Return the response with the error map ``{status, message}`` and no result."""
    return _pack((_RESPONSE, message_id, {"status": int(status), "message": message}, None))


def encode_call(message_id: int, method: str, params: Sequence[object]) -> bytes:
    """Return the request with this unsigned 32-bit message id."""
    return _pack((REQUEST, message_id, method, tuple(params)))


def encode_notification(method: str, params: Sequence[object]) -> bytes:
    """Return the notification: a request that nobody answers."""
    return _pack((_NOTIFICATION, method, tuple(params)))
