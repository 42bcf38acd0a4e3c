"""What MessagePack-RPC calls and their results mean: calls to requests, replies to maps, and back.

Bytes are the business of ``tlsmgr.wire.rpc``, which also hands on the public names of this
module. The methods are named after the verbs and take positional params.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, TypeVar

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
from tlsmgr.wire.arguments import (
    delete_request,
    describe,
    lookup_request,
    policy_request,
    seed_request,
    ticket_key_request,
    update_request,
)

_STATUSES: Final = {int(status): status for status in Status}
_REMOTE_MESSAGE_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, or a notification when ``message_id`` is None.

    In ``params`` both text and binary data are bytes (text as its UTF-8, unchecked),
    arrays are tuples, and maps are lists of pairs. ``defect`` says why a message is no
    proper request though it can be answered; the method is then empty, which no
    server knows.
    """

    message_id: int | None
    method: str
    params: tuple[object, ...] = field(repr=False)
    defect: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The answer to the request of the same message id; one of error and result is None.

    Text is str (bytes that are no UTF-8 as surrogate escapes), arrays are tuples, maps
    are dicts with str or bytes keys.
    """

    message_id: int
    error: object
    result: object = field(repr=False)


class RemoteError(ProtocolError):
    """The server answered with an error: its own words, and the status that it gave."""

    def __init__(self, message: str, status: Status = Status.FAILED) -> None:
        super().__init__(message)
        self.status = status


class _Method(NamedTuple):
    verb: Verb
    names: tuple[str, ...]
    kinds: tuple[type, ...]
    build: Callable[..., Request]


def _method(
    verb: Verb, names: tuple[str, ...], kind: type[int] | type[bytes], build: Callable[..., Request]
) -> _Method:
    return _Method(verb, names, (kind,) * len(names), build)


_METHODS: Final = {
    method.verb.value: method
    for method in (
        _method(Verb.SEED, ("size",), int, seed_request),
        _method(Verb.POLICY, ("cache_type",), bytes, policy_request),
        _method(Verb.LOOKUP, ("cache_type", "cache_id"), bytes, lookup_request),
        _method(Verb.UPDATE, ("cache_type", "cache_id", "session"), bytes, update_request),
        _method(Verb.DELETE, ("cache_type", "cache_id"), bytes, delete_request),
        _method(Verb.TICKET_KEY, ("keyname",), bytes, ticket_key_request),
    )
}
_METHODS_BY_BYTES: Final = {name.encode(): method for name, method in _METHODS.items()}

#: What a message that is a request begins with.
REQUEST: Final = 0
#: The end of the range of message ids.
MESSAGE_ID_END: Final = 1 << 32
_REQUEST_LENGTH: Final = 4

#: A well-formed request: its message id, its method, and what it asks for.
WholeRequest: TypeAlias = tuple[int, str, Request]

_KINDS: Final[dict[type, str]] = {
    bytes: "bytes",
    int: "an integer",
    bool: "a boolean",
    float: "a float",
    tuple: "an array",
    list: "a map",  # of a call: pairs, so that no key is ever hashed
    dict: "a map",
    str: "text",
    type(None): "nil",
}


def whole_request(message: tuple[object, ...]) -> WholeRequest | None:
    """Return the request that a message is, if nothing at all is wrong with it.

    The short way, for nearly all messages: it gives what the way through a Call would give.
    """
    if len(message) != _REQUEST_LENGTH:
        return None
    kind, message_id, name, params = message
    method = _METHODS_BY_BYTES.get(name) if isinstance(name, bytes) else None
    if (
        method is None
        or type(kind) is not int
        or kind != REQUEST
        or type(message_id) is not int
        or not 0 <= message_id < MESSAGE_ID_END
        or not isinstance(params, tuple)
        or tuple(map(type, params)) != method.kinds
    ):
        return None
    request = method.build(*params)
    return None if isinstance(request, MalformedRequest) else (message_id, method.verb.value, request)


def decode_request(call: Call) -> Request:
    """Return the request that ``call`` makes; a MalformedRequest when it makes none.

    That is so for a method that is no verb, another number of params, or a param of
    another type or outside its range. An integer is not taken from a boolean.
    """
    if call.defect is not None:
        return MalformedRequest(verb=None, reason=call.defect)
    method = _METHODS.get(call.method)
    if method is None:
        name = describe(call.method.encode("utf-8", "backslashreplace"))
        return MalformedRequest(verb=None, reason=f"method: unknown, {name}")
    if tuple(map(type, call.params)) != method.kinds:
        return MalformedRequest(verb=method.verb, reason=_misfit(method, call.params))
    return method.build(*call.params)


def _misfit(method: _Method, params: tuple[object, ...]) -> str:
    if len(params) != len(method.names):
        return f"params: expected {', '.join(method.names)}, got {len(params)} params"
    fields = zip(method.names, method.kinds, params, strict=True)
    name, kind, param = next(each for each in fields if type(each[2]) is not each[1])
    return f"{name}: expected {_KINDS[kind]}, got {_kind(param)}"


def call_of(request: Request) -> tuple[str, tuple[object, ...]]:
    """Return the method and the params that make ``request``.

    Raises:
        TypeError: a MalformedRequest, which says too little to be sent.
    """
    match request:
        case SeedRequest():
            return "seed", (request.size,)
        case PolicyRequest():
            return "policy", (request.cache_type.value,)
        case LookupRequest():
            return "lookup", (request.cache_type.value, request.cache_id)
        case UpdateRequest():
            return "update", (request.cache_type.value, request.cache_id, request.session)
        case DeleteRequest():
            return "delete", (request.cache_type.value, request.cache_id)
        case TicketKeyRequest():
            return "tktkey", (request.name,)
        case MalformedRequest():
            raise TypeError("a malformed request cannot be sent")


def map_of(reply: Reply) -> dict[str, object]:
    """Return the map that answers with ``reply``; ``cachable`` is a boolean.

    A payload goes into it with status OK only.
    """
    status, done = int(reply.status), reply.status is Status.OK
    match reply:
        case LookupReply():
            return {"status": status, "session": reply.session if done else b""}
        case SeedReply():
            return {"status": status, "seed": reply.seed if done else b""}
        case PolicyReply():
            return {"status": status, "cachable": reply.cachable, "timeout": reply.timeout}
        case StatusReply():
            return {"status": status}
        case TicketKeyReply():
            return {"status": status, "keybuf": reply.key_buffer if done else b""}


def result_of(response: Response) -> Mapping[str, object]:
    """Return the result, which is a map for every method of every worker.

    Raises:
        RemoteError: the server answered with an error.
        ProtocolError: the result is no map with text for keys.
    """
    if response.error is not None:
        raise _remote_error(response.error)
    result = response.result
    if not isinstance(result, dict) or not all(isinstance(key, str) for key in result):
        raise ProtocolError(f"result: expected a map with text keys, got {_kind(result)}")
    return result


def decode_reply(verb: Verb | None, response: Response) -> Reply:
    """Return the reply to a request of that verb; fields that nobody asked for are ignored.

    A payload that comes with a status other than OK is dropped.

    Raises:
        RemoteError: the server answered with an error.
        ProtocolError: a field is missing or has another type.
    """
    result = result_of(response)
    number = _field(result, "status", int)
    if number not in _STATUSES:
        raise ProtocolError(f"status: expected 0, -1 or -2, got {number}")
    status = _STATUSES[number]
    match verb:
        case Verb.SEED:
            return SeedReply(status=status, seed=_payload(result, "seed", status))
        case Verb.POLICY:
            cachable, timeout = _field(result, "cachable", bool), _field(result, "timeout", int)
            return PolicyReply(status=status, cachable=cachable, timeout=timeout)
        case Verb.LOOKUP:
            return LookupReply(status=status, session=_payload(result, "session", status))
        case Verb.TICKET_KEY:
            return TicketKeyReply(status=status, key_buffer=_payload(result, "keybuf", status))
        case _:
            return StatusReply(status=status)


_Value = TypeVar("_Value", int, bool)


def _field(result: Mapping[str, object], name: str, kind: type[_Value]) -> _Value:
    value = result.get(name)
    if type(value) is not kind:
        raise ProtocolError(f"{name}: expected {_KINDS[kind]}, got {_kind(value)}")
    return value


def _payload(result: Mapping[str, object], name: str, status: Status) -> bytes:
    value = result.get(name)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, bytes):
        raise ProtocolError(f"{name}: expected bytes, got {_kind(value)}")
    return value if status is Status.OK else b""


def _remote_error(error: object) -> RemoteError:
    """Take message and status out of an error in our form; show any other one as it is."""
    fields = error if isinstance(error, dict) else {"message": error}
    message, status = fields.get("message", error), fields.get("status")
    text = message if isinstance(message, str) else repr(message)
    # Bounded and printable: it came from outside and ends in a log or on a terminal.
    printable = text[:_REMOTE_MESSAGE_MAX].encode("unicode_escape").decode("ascii")
    known = _STATUSES.get(status) if type(status) is int else None
    return RemoteError(printable, Status.FAILED if known is None else known)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "another type")
