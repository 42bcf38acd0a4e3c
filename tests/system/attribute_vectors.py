"""Requests in the attribute protocol, good and malformed, for any server to answer."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from tests.system.conversation import KEY_NAME

LARGE = 20_000

#: main.cf parameters of the servers that answer, by the name of the setting.
SETTINGS: dict[str, dict[str, str]] = {
    "caches-enabled": {
        "smtpd_tls_session_cache_database": "btree:${data_directory}/smtpd_scache",
        "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
        "lmtp_tls_session_cache_database": "btree:${data_directory}/lmtp_scache",
        "smtpd_tls_session_cache_timeout": "600s",
        "smtp_tls_session_cache_timeout": "2h",
        "lmtp_tls_session_cache_timeout": "60s",
    },
    "caches-disabled": {
        "smtpd_tls_session_cache_database": "",
        "smtp_tls_session_cache_database": "btree:${data_directory}/smtp_scache",
        "lmtp_tls_session_cache_database": "",
        "smtpd_tls_session_cache_timeout": "0s",
        "smtp_tls_session_cache_timeout": "0s",
        "lmtp_tls_session_cache_timeout": "2h",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """The steps of one connection: each but the last is answered by one list; see ``converse``."""

    name: str
    steps: tuple[bytes, ...]

    @property
    def is_large(self) -> bool:
        """Whether the shipped transcripts have its answers only, to keep them small."""
        return sum(map(len, self.steps)) > LARGE


def attributes(*pairs: tuple[str, str | bytes]) -> bytes:
    """Return the list of ``pairs`` as it travels, with its end."""
    return begun(*pairs) + b"\0"


def begun(*pairs: tuple[str, str | bytes]) -> bytes:
    """Return the list of ``pairs`` as it travels, without its end."""
    return b"".join(
        name.encode() + b"\0" + (value.encode() if isinstance(value, str) else value) + b"\0"
        for name, value in pairs
    )


def seed(size: str) -> bytes:
    """Return the request for a seed."""
    return attributes(("request", "seed"), ("size", size))


def policy(cache: str) -> bytes:
    """Return the request for a cache's policy."""
    return attributes(("request", "policy"), ("cache_type", cache))


def lookup(cache: str, key: str | bytes) -> bytes:
    """Return the request for a session."""
    return attributes(("request", "lookup"), ("cache_type", cache), ("cache_id", key))


def delete(cache: str, key: str | bytes) -> bytes:
    """Return the request to remove a session."""
    return attributes(("request", "delete"), ("cache_type", cache), ("cache_id", key))


def update(cache: str, key: str | bytes, session: bytes) -> bytes:
    """Return the request to save a session, which is put into base64 here."""
    return update_encoded(cache, key, base64.b64encode(session))


def update_encoded(cache: str, key: str | bytes, session: bytes) -> bytes:
    """Return the request to save a session that is given as it travels."""
    return attributes(("request", "update"), ("cache_type", cache), ("cache_id", key), ("session", session))


def ticket_key(name: bytes) -> bytes:
    """Return the request for a ticket key, whose name is given as it travels."""
    return attributes(("request", "tktkey"), ("keyname", name))


_PRIME = seed("8")  # leaves eight known-to-be-there bytes in the buffer of a server that keeps one
_ALL_BYTES = bytes(range(256))
_CONTROLS = bytes([*range(1, 32), 127])
_NAME = base64.b64encode(b"0123456789abcdef")


def _vectors(*named: tuple[str, Iterable[bytes]]) -> list[Vector]:
    return [Vector(name=name, steps=tuple(steps)) for name, steps in named]


_SEED = _vectors(
    *((f"seed of {size}", [seed(size)]) for size in ("1", "32", "255")),
    *((f"seed of {size}, out of range", [_PRIME, seed(size)]) for size in ("0", "256", "-1", "4294967295")),
    *(
        (f"seed size {size!r}", [_PRIME, seed(size), seed("3")])
        for size in ("", "x", "32x", "32 ", " 32", "+32", "032", "0x20", "3.2", "-4294967264")
    ),
    ("seed size 2^32 + 32", [_PRIME, seed("4294967328")]),
    ("seed size of 30 digits", [_PRIME, seed("9" * 30)]),
)

_POLICY = _vectors(
    *((f"policy of {cache}", [policy(cache)]) for cache in ("smtpd", "smtp", "lmtp")),
    *((f"policy of the cache {cache!r}", [policy(cache)]) for cache in ("", "bogus", "SMTPD", "smtpd ")),
)

_SESSIONS = _vectors(
    ("lookup of what is not there", [lookup("smtpd", "absent")]),
    ("update, lookup", [update("smtpd", "a", b"session"), lookup("smtpd", "a")]),
    ("update twice, lookup", [update("smtpd", "b", b"1"), update("smtpd", "b", b"2"), lookup("smtpd", "b")]),
    ("update, delete", [update("smtpd", "c", b"session"), delete("smtpd", "c")]),
    ("update, delete, lookup", [update("smtp", "d", b"x"), delete("smtp", "d"), lookup("smtp", "d")]),
    ("delete of what is not there", [delete("smtpd", "absent")]),
    ("every byte in a session", [update("smtp", "e", _ALL_BYTES), lookup("smtp", "e")]),
    ("a session of 8 kB", [update("lmtp", "f", _ALL_BYTES * 32), lookup("lmtp", "f")]),
    ("a session of 60 kB", [update("smtp", "g", _ALL_BYTES * 240)]),
    ("an empty session", [update("smtpd", "h", b""), lookup("smtpd", "h")]),
    ("an empty cache_id", [update("smtpd", "", b"none"), lookup("smtpd", ""), delete("smtpd", "")]),
    ("a cache_id of control characters", [update("smtpd", _CONTROLS, b"i"), lookup("smtpd", _CONTROLS)]),
    ("a cache_id of UTF-8", [update("smtpd", "\xfc", b"i"), lookup("smtpd", "\xfc")]),
    ("a cache_id that is not UTF-8", [update("smtpd", b"\xfc", b"i"), lookup("smtpd", b"\xfc")]),
    ("a cache_id of 4000 bytes", [update("smtpd", "k" * 4000, b"l"), lookup("smtpd", "k" * 4000)]),
    ("cache_id in the other case", [update("smtpd", "m", b"n"), lookup("smtpd", "M")]),
    ("a cache_id cut short", [update("smtpd", "long-id", b"n"), lookup("smtpd", "long")]),
    ("the same id in another cache", [update("smtpd", "o", b"p"), lookup("smtp", "o")]),
    (
        "sessions of smtp and lmtp",
        [update("smtp", "q", b"r"), update("lmtp", "q", b"s"), lookup("smtp", "q")],
    ),
    *((f"lookup in the cache {cache!r}", [_PRIME, lookup(cache, "t")]) for cache in ("", "bogus", "SMTPD")),
    *((f"update of the cache {cache!r}", [update(cache, "t", b"u")]) for cache in ("", "bogus", "SMTPD")),
    *((f"delete in the cache {cache!r}", [delete(cache, "t")]) for cache in ("", "bogus", "SMTPD")),
)

_TICKET_KEYS = _vectors(
    ("the current ticket key", [ticket_key(b"")]),
    ("the current ticket key by its name", [ticket_key(b""), ticket_key(KEY_NAME)]),
    ("a ticket key that is not there", [ticket_key(_NAME)]),
    *(
        (f"a key name of {size} bytes", [_PRIME, ticket_key(base64.b64encode(b"n" * size))])
        for size in (1, 15, 17, 32, 255)
    ),
)

_BASE64 = _vectors(
    *(
        (
            f"session {text!r}",
            [_PRIME, update_encoded("smtpd", repr(text), text), lookup("smtpd", repr(text))],
        )
        for text in (
            *(b"QQ", b"QQ=", b"Q", b"QQ===", b"QQ==QQ==", b"QUI=QQ==", b"QR==", b"Q Q=", b"QQ==\n"),
            *(b"\nQQ==", b"Q-_=", b"=QQ=", b"====", b"QQ=A", b"\xff\xff\xff\xff", b"QUJD????"),
        )
    ),
    *(
        (f"key name {text!r}", [_PRIME, ticket_key(text)])
        for text in (b"?", b"????", b"QUJD????", _NAME[:-2], _NAME + b"\n", b" " + _NAME)
    ),
)

_SHAPE = _vectors(
    ("seed without size", [_PRIME, attributes(("request", "seed"))]),
    ("policy without cache_type", [attributes(("request", "policy"))]),
    ("lookup without cache_id", [_PRIME, attributes(("request", "lookup"), ("cache_type", "smtpd"))]),
    ("lookup without anything", [_PRIME, attributes(("request", "lookup"))]),
    ("update without session", [update("smtpd", "x", b"")[:-10] + b"\0"]),
    ("update without anything", [attributes(("request", "update"))]),
    ("delete without cache_id", [attributes(("request", "delete"), ("cache_type", "smtpd"))]),
    ("tktkey without keyname", [_PRIME, attributes(("request", "tktkey"))]),
    ("seed after seed without size", [_PRIME, attributes(("request", "seed")), seed("3")]),
    ("extra attribute at the end", [seed("4")[:-1] + attributes(("more", "1"))]),
    ("two extra attributes at the end", [seed("4")[:-1] + attributes(("more", "1"), ("most", ""))]),
    ("size twice", [seed("4")[:-1] + attributes(("size", "5"))]),
    ("extra attribute before size", [_PRIME, attributes(("request", "seed"), ("x", "1"), ("size", "4"))]),
    (
        "good request after that",
        [_PRIME, attributes(("request", "seed"), ("x", "1"), ("size", "4")), seed("3")],
    ),
    ("misnamed size", [_PRIME, attributes(("request", "seed"), ("Size", "4"))]),
    (
        "cache_id before cache_type",
        [attributes(("request", "delete"), ("cache_id", "y"), ("cache_type", "smtpd"))],
    ),
    (
        "cache_type twice",
        [attributes(("request", "delete"), ("cache_type", "smtpd"), ("cache_type", "smtpd"))],
    ),
    ("size before request", [attributes(("size", "4"), ("request", "seed"))]),
    ("request twice", [_PRIME, attributes(("request", "seed"), ("request", "seed"), ("size", "4"))]),
    ("misnamed request", [attributes(("Request", "seed"), ("size", "4"))]),
    *(
        (f"request {verb!r}", [_PRIME, attributes(("request", verb))])
        for verb in ("unknown", "", "SEED", "seed ")
    ),
    ("unknown request with attributes", [attributes(("request", "unknown"), ("size", "4"))]),
    ("an attribute list that is empty, and a policy", [b"\0" + policy("smtp")]),
)

_STREAM = _vectors(
    ("nothing", [b""]),
    ("wakeup", [b"W\0"]),
    ("wakeup after a request", [_PRIME, b"W\0"]),
    ("W alone", [b"W"]),
    ("another letter and a null", [b"S\0"]),
    ("a null", [b"\0"]),
    ("two nulls", [b"\0\0"]),
    ("wakeup and a null", [b"W\0\0"]),
    ("wakeup and a request", [b"W\0" + seed("4")]),
    *(
        (f"half a request: {half!r}", [_PRIME, half])
        for half in (b"req", b"request\0se", b"request\0seed\0", b"request\0seed\0size\0", seed("4")[:-1])
    ),
    ("half a lookup", [_PRIME, begun(("request", "lookup"), ("cache_type", "smtpd"))]),
    ("half a tktkey", [_PRIME, b"request\0tktkey\0keyname\0"]),
    ("two requests at once", [policy("smtpd") + policy("smtp")]),
    ("three requests at once", [policy("smtpd") + policy("smtp") + policy("lmtp")]),
    ("a malformed and a good request at once", [_PRIME, attributes(("request", "seed")) + policy("smtp")]),
    ("an unknown and a good request at once", [attributes(("request", "unknown")) + policy("smtp")]),
    ("a hundred requests", [policy("smtpd")] * 100),
    (
        "every kind of request",
        [
            *(seed("2"), policy("lmtp"), update("lmtp", "z", b"z"), lookup("lmtp", "z")),
            *(delete("lmtp", "z"), ticket_key(b"")),
        ],
    ),
    ("a name of 70 kB", [attributes(("r" * 70_000, ""))]),
    ("a cache_id of 70 kB", [lookup("smtpd", "k" * 70_000)]),
    ("an extra attribute of 70 kB", [seed("4")[:-1] + attributes(("more", "m" * 70_000))]),
)

VECTORS: list[Vector] = [*_SEED, *_POLICY, *_SESSIONS, *_TICKET_KEYS, *_BASE64, *_SHAPE, *_STREAM]
