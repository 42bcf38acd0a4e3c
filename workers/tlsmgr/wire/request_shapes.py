"""What each request of the Postfix attribute protocol looks like, and how it is decoded.

Sources: Postfix's attr_scan0(3) and tls_mgr(3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tlsmgr.messages import SEED_SIZE_MAX, CacheType, LookupRequest, MalformedRequest, Request, Verb
from tlsmgr.wire.arguments import (
    delete_request,
    describe,
    lookup_request,
    policy_request,
    seed_request,
    ticket_key_request,
    update_request,
)
from tlsmgr.wire.attribute_lists import NUL, decode_base64, decode_integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a request looks like: its attributes in order, and what makes the request of them."""

    verb: Verb
    names: list[bytes]  #: of all attributes, "request" first
    decode: Callable[[list[bytes]], Request]  #: takes name, value, name, value ...
    framed: list[bytes]  #: ``names`` with the empty one that ends the list
    size: int  #: how many pieces the whole list has when split at its nulls


def _shape(verb: Verb, names: list[bytes], decode: Callable[[list[bytes]], Request]) -> Shape:
    framed = [b"request", *names, b""]
    return Shape(verb=verb, names=framed[:-1], decode=decode, framed=framed, size=2 * len(framed))


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


SHAPES: Final = {
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
    return {text: SHAPES[(fields := text.split(NUL))[1]].decode(fields) for text in texts}


_FREQUENT: Final = _frequent_requests()
_FREQUENT_SIZE_MAX: Final = max(map(len, _FREQUENT))
# Of a lookup, nothing but the cache id changes.
_CACHE_ID: Final = b"\0cache_id\0"
_LOOKUP_HEADS: Final = {
    b"request\0lookup\0cache_type\0" + each.value.encode(): each for each in CacheType
}  # fmt: skip

#: Bytes that a lookup has at least.
SHORTEST_LOOKUP: Final = min(map(len, _LOOKUP_HEADS)) + len(_CACHE_ID) + 2


def lookup_in(chunk: bytes) -> tuple[CacheType, bytes] | None:
    """Return the cache and the cache id if the bytes are exactly one lookup, without any defect."""
    head, _, tail = chunk.partition(_CACHE_ID)
    cache_type = _LOOKUP_HEADS.get(head)
    if cache_type is None or tail.find(NUL) != len(tail) - 2 or tail[-1]:
        return None
    return cache_type, tail[:-2]


def _whole_lookup(chunk: bytes) -> LookupRequest | None:
    found = lookup_in(chunk)
    return found and LookupRequest(cache_type=found[0], cache_id=found[1])


def whole_request(chunk: bytes) -> Request | None:
    """Decode bytes that are exactly one request with the right names; else return None.

    The fast way: no search for the end of the list. It gives what the other way would
    give, since it takes only what has every name in its place.
    """
    if len(chunk) <= _FREQUENT_SIZE_MAX and chunk in _FREQUENT:
        return _FREQUENT[chunk]
    return _whole_lookup(chunk) or _whole_list(chunk)


def _whole_list(chunk: bytes) -> Request | None:
    fields = chunk.split(NUL)
    shape = SHAPES.get(fields[1]) if len(fields) > 1 else None
    if shape is None or len(fields) != shape.size or fields[::2] != shape.framed or fields[-1]:
        return None
    return shape.decode(fields)
