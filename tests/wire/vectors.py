"""Byte strings of the Postfix attribute protocol, and what a reader must make of each.

Usable without the reader: each vector has its bytes, and says where Postfix's own tlsmgr,
asked with these bytes in one write, is known to answer otherwise (3.7.11, tried).
"""

from dataclasses import dataclass

from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupRequest,
    MalformedRequest,
    PolicyRequest,
    Request,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)
from tlsmgr.wire.attributes import Wakeup

LIMIT = 4096

NO_ANSWER = "answers nothing"
STALE = "may answer with what an earlier request left in its buffer"
NO_LIMIT = "has no limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeVector:
    """One message as bytes. ``postfix_differs`` is empty where Postfix does the same."""

    name: str
    data: bytes
    expected: Request | Wakeup
    postfix_differs: str = ""


def attributes(*fields: bytes) -> bytes:
    """Return these names and values as an attribute list."""
    return b"".join(field + b"\0" for field in fields) + b"\0"


def _list(text: bytes) -> bytes:
    """Return the list for ``name=value|name=value``."""
    return attributes(*[part for pair in text.split(b"|") for part in pair.split(b"=", 1)])


def _good(name: str, expected: Request, text: bytes, differs: str = "") -> AttributeVector:
    data = _list(b"request=" + text)
    return AttributeVector(name=name, data=data, expected=expected, postfix_differs=differs)


def _bad(name: str, verb: Verb | None, reason: str, text: bytes, differs: str = "") -> AttributeVector:
    expected = MalformedRequest(verb=verb, reason=reason)
    return AttributeVector(name=name, data=_list(text), expected=expected, postfix_differs=differs)


def _lookup(cache_id: bytes) -> LookupRequest:
    return LookupRequest(cache_type=CacheType.SMTPD, cache_id=cache_id)


def _update(session: bytes, cache_id: bytes = b"x") -> UpdateRequest:
    return UpdateRequest(cache_type=CacheType.SMTP, cache_id=cache_id, session=session)


_ID = b"0123456789ABCDEF&s=smtp&l=805306480"
_ANY_ID = bytes(range(1, 256)).replace(b"|", b"")
_LOOKUP = b"lookup|cache_type=smtpd|cache_id="
_UPDATE = b"update|cache_type=smtp|cache_id=x|session="
_DELETE = DeleteRequest(cache_type=CacheType.LMTP, cache_id=_ID)

_GOOD = [
    _good("seed", SeedRequest(size=32), b"seed|size=32"),
    _good("seed of 1", SeedRequest(size=1), b"seed|size=1"),
    _good("seed of 255", SeedRequest(size=255), b"seed|size=255"),
    _good("size with leading zeros", SeedRequest(size=32), b"seed|size=0000000000000000000000032"),
    _good("size with white space before", SeedRequest(size=32), b"seed|size= \t\n\v\f\r32"),
    _good("size with a plus", SeedRequest(size=32), b"seed|size=+32"),
    _good("size beyond 32 bits", SeedRequest(size=32), b"seed|size=4294967328"),
    _good("negative size beyond 32 bits", SeedRequest(size=32), b"seed|size=-4294967264"),
    _good("policy of smtpd", PolicyRequest(cache_type=CacheType.SMTPD), b"policy|cache_type=smtpd"),
    _good("policy of lmtp", PolicyRequest(cache_type=CacheType.LMTP), b"policy|cache_type=lmtp"),
    _good("lookup", _lookup(_ID), _LOOKUP + _ID),
    _good("lookup with an empty id", _lookup(b""), _LOOKUP),
    _good("lookup with an id of any bytes", _lookup(_ANY_ID), _LOOKUP + _ANY_ID),
    _good("update", _update(b"session"), _UPDATE + b"c2Vzc2lvbg=="),
    _good("update with an empty session", _update(b""), _UPDATE),
    _good("update with nulls in the session", _update(bytes(3)), _UPDATE + b"AAAA"),
    _good("base64 with unused bits set", _update(b"a"), _UPDATE + b"YR=="),
    _good("base64 that goes on after padding", _update(b"a"), _UPDATE + b"YQ==YQ=="),
    _good("base64 with half its padding", _update(b"a"), _UPDATE + b"YQ=?"),
    _good("delete", _DELETE, b"delete|cache_type=lmtp|cache_id=" + _ID),
    _good("tktkey for encryption", TicketKeyRequest(name=b""), b"tktkey|keyname="),
    _good("tktkey by name", TicketKeyRequest(name=bytes(16)), b"tktkey|keyname=" + b"A" * 22 + b"==", STALE),
    _good("an attribute too many", _lookup(_ID), _LOOKUP + _ID + b"|more=value"),
    _good("the last attribute twice", _lookup(_ID), _LOOKUP + _ID + b"|cache_id=y"),
    _good("an empty value too many", _lookup(_ID), _LOOKUP + _ID + b"|more="),
]

_RANGE = "size: expected 1 to 255, got "
_DECIMAL = "size: expected a decimal number, got "
_SIZE = b"request=seed|size="
_BAD_SIZES = [
    _bad("size 0", Verb.SEED, _RANGE + "0", _SIZE + b"0"),
    _bad("size 256", Verb.SEED, _RANGE + "256", _SIZE + b"256"),
    _bad("size -1", Verb.SEED, _RANGE + "-1", _SIZE + b"-1"),
    _bad("size -1 as sent", Verb.SEED, _RANGE + "-1", _SIZE + b"4294967295"),
    _bad("size huge", Verb.SEED, _RANGE + "-1", _SIZE + b"9" * 3000),
    _bad("size hugely negative", Verb.SEED, _RANGE + "-1", _SIZE + b"-" + b"9" * 30),
    _bad("size empty", Verb.SEED, _DECIMAL + "''", _SIZE, STALE),
    _bad("size a word", Verb.SEED, _DECIMAL + "'x'", _SIZE + b"x", STALE),
    _bad("size and more", Verb.SEED, _DECIMAL + "3 bytes", _SIZE + b"32 ", STALE),
    _bad("size in hexadecimal", Verb.SEED, _DECIMAL + "'0x20'", _SIZE + b"0x20", STALE),
    _bad("size a sign", Verb.SEED, _DECIMAL + "'+'", _SIZE + b"+", STALE),
]

_CACHE = "cache_type: expected smtpd or smtp or lmtp, got "
_BASE64 = "session: expected base64"
_NAME = "keyname: expected "
_BAD_VALUES = [
    _bad("policy of an unknown cache", Verb.POLICY, _CACHE + "'x'", b"request=policy|cache_type=x"),
    _bad("policy of no cache", Verb.POLICY, _CACHE + "''", b"request=policy|cache_type="),
    _bad("lookup in capitals", Verb.LOOKUP, _CACHE + "4 bytes", b"request=lookup|cache_type=SMTP|cache_id=x"),
    _bad("update of none", Verb.UPDATE, _CACHE + "'x'", b"request=update|cache_type=x|cache_id=x|session="),
    _bad("delete of none", Verb.DELETE, _CACHE + "'x'", b"request=delete|cache_type=x|cache_id=x"),
    _bad("base64 without padding", Verb.UPDATE, _BASE64, b"request=" + _UPDATE + b"YQ"),
    _bad("base64 with white space", Verb.UPDATE, _BASE64, b"request=" + _UPDATE + b"YWJj\nYWJ"),
    _bad("base64 of another alphabet", Verb.UPDATE, _BASE64, b"request=" + _UPDATE + b"_-_-"),
    _bad("base64 padded too early", Verb.UPDATE, _BASE64, b"request=" + _UPDATE + b"Y==="),
    _bad(
        "keyname of 15",
        Verb.TICKET_KEY,
        _NAME + "0 or 16 bytes, got 15",
        b"request=tktkey|keyname=" + b"A" * 20,
    ),
    _bad(
        "keyname of 18",
        Verb.TICKET_KEY,
        _NAME + "0 or 16 bytes, got 18",
        b"request=tktkey|keyname=" + b"A" * 24,
    ),
    _bad("keyname no base64", Verb.TICKET_KEY, _NAME + "base64", b"request=tktkey|keyname=A", STALE),
]

_GOT = "expected attribute {}, got {}".format
_END = "the end of the list"
_TYPE = b"|cache_type=smtp"
_TWICE = b"request=delete|cache_type=smtp|cache_type=smtp|cache_id=x"
_BETWEEN = b"request=delete|cache_type=smtp|more=x|cache_id=x"
_SWAPPED = b"request=lookup|cache_id=x|cache_type=smtp"
_SECRET_NAME = b"request=update|cache_type=smtp|cache_id=x|" + b"c2VjcmV0" * 5 + b"="
_BAD_LISTS = [
    _bad("seed without size", Verb.SEED, _GOT("size", _END), b"request=seed", STALE),
    _bad("policy without cache_type", Verb.POLICY, _GOT("cache_type", _END), b"request=policy"),
    _bad("lookup without id", Verb.LOOKUP, _GOT("cache_id", _END), b"request=lookup" + _TYPE, STALE),
    _bad("lookup without anything", Verb.LOOKUP, _GOT("cache_type", _END), b"request=lookup", STALE),
    _bad(
        "update without session",
        Verb.UPDATE,
        _GOT("session", _END),
        b"request=update" + _TYPE + b"|cache_id=x",
    ),
    _bad("delete without id", Verb.DELETE, _GOT("cache_id", _END), b"request=delete" + _TYPE),
    _bad("tktkey without keyname", Verb.TICKET_KEY, _GOT("keyname", _END), b"request=tktkey", STALE),
    _bad("swapped", Verb.LOOKUP, _GOT("cache_type", "'cache_id'"), _SWAPPED, STALE),
    _bad("cache_type twice", Verb.DELETE, _GOT("cache_id", "'cache_type'"), _TWICE),
    _bad("one in between", Verb.DELETE, _GOT("cache_id", "'more'"), _BETWEEN),
    _bad("a secret for a name", Verb.UPDATE, _GOT("session", "40 bytes"), _SECRET_NAME),
    _bad("another attribute first", None, "expected attribute request first, got 'x'", b"x=y"),
    _bad("an unknown request", None, "request: unknown, 'flush'", b"request=flush|size=3", NO_ANSWER),
    _bad("an empty request", None, "request: unknown, ''", b"request=", NO_ANSWER),
    _bad("a request in capitals", None, "request: unknown, 4 bytes", b"request=SEED|size=32", NO_ANSWER),
    AttributeVector(
        name="no attribute at all",
        data=b"\0",
        expected=MalformedRequest(verb=None, reason=f"expected attribute request first, got {_END}"),
        postfix_differs=NO_ANSWER,
    ),
]

_LONGER = f"longer than the limit of {LIMIT} bytes"
_FITTING_ID = b"i" * (LIMIT - len(_list(b"request=update|cache_type=smtp|cache_id=|session=")))
_FITTING = b"update|cache_type=smtp|cache_id=" + _FITTING_ID
_LIMITS = [
    _good("as long as the limit", _update(b"", _FITTING_ID), _FITTING + b"|session="),
    _bad("one over the limit", Verb.UPDATE, _LONGER, b"request=" + _FITTING + b"i|session=", NO_LIMIT),
    _bad("a value over the limit", Verb.UPDATE, _LONGER, b"request=" + _UPDATE + b"A" * LIMIT, NO_LIMIT),
    _bad("many values over the limit", Verb.SEED, _LONGER, b"request=seed" + b"|a=" * LIMIT, NO_LIMIT),
    _bad("a name over the limit", None, _LONGER, b"x" * LIMIT + b"=", NO_LIMIT),
]

ATTRIBUTE_VECTORS: list[AttributeVector] = [
    *_GOOD,
    *_BAD_SIZES,
    *_BAD_VALUES,
    *_BAD_LISTS,
    *_LIMITS,
    AttributeVector(name="wakeup", data=b"W\0", expected=Wakeup()),
]
