"""Where a cached session leads to, as far as its cache id says.

Postfix's smtp(8) and lmtp(8) begin the id of a session with four fields, each ended by ``&``: the
service, the next hop as the administrator or DNS has it, the host's name and its address (smtp_key(3));
a digest of the TLS parameters and the version of OpenSSL follow. A field that has a ``&`` in it stands
in base64. smtpd's ids name no destination, and other programs make ids of their own.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass

_FIELDS = 4
# A next hop is host, host:port, [host] or [host]:port; an address has colons, but no brackets.
_NEXT_HOP = re.compile(r"\[(?P<bracketed>[^\]]*)\](?::\w+)?|(?P<bare>[^:]*)(?::\w+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a client's cache id tells; what it does not tell is empty."""

    service: str
    next_hop: str
    host: str
    address: str

    def __str__(self) -> str:
        shown = f"{self.host}[{self.address}]" if self.address else self.host
        return f"{self.next_hop} via {shown}" if self.next_hop not in {"", self.host} else shown

    @property
    def names(self) -> frozenset[str]:
        """All that somebody may call it by, in lower case: next hop with and without port, host, address."""
        found = _NEXT_HOP.fullmatch(self.next_hop)
        plain = (found["bracketed"] or found["bare"] or "") if found else ""
        return frozenset({self.next_hop, plain, self.host, self.address} - {""})


def destination_of(cache_id: bytes) -> Destination | None:
    """Return where a session leads to, or None for an id that does not look like smtp's or lmtp's."""
    fields = cache_id.split(b"&", _FIELDS)
    if len(fields) <= _FIELDS or not fields[0] or b"\0" in cache_id:
        return None
    service, next_hop, host, address = (_text(field) for field in fields[:_FIELDS])
    if not (host or address):
        return None
    return Destination(service=service, next_hop=next_hop.lower(), host=host.lower(), address=address.lower())


def leading_to(wanted: str) -> Callable[[bytes], bool]:
    """Return what tells whether an id names ``wanted``.

    That is a host, an address, or a next hop with or without its port.

    An id that is not Postfix's is taken as one name. Case does not matter.
    """
    name = wanted.lower()
    # A field that is not in base64 has the name as it is: most ids are told from that, in no time.
    literal = name.encode() if name.isascii() and "&" not in name else b""

    def leads_there(cache_id: bytes) -> bool:
        if literal not in cache_id.lower():
            return False
        destination = destination_of(cache_id)
        if destination is None:
            return _printable(cache_id).lower() == name
        # A name may look by chance like the base64 of another: both find the session.
        return name in destination.names or literal in cache_id.lower().split(b"&", _FIELDS)[1:_FIELDS]

    return leads_there


def _text(field: bytes) -> str:
    try:
        decoded = base64.b64decode(field, validate=True)
    except binascii.Error:
        decoded = b""
    # Only what has a & in it is in base64; a host's name may look like it by chance.
    return _printable(decoded if b"&" in decoded else field)


def _printable(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")
