"""Lookups over MessagePack-RPC in the fewest steps: found in the bytes, answered with a ready head.

Nearly all that clients ask are lookups of one form, in which few bytes change. What has another
form is for ``rpc`` to read, and whatever is read here it would read as the same.
"""

from typing import Final, TypeAlias

from tlsmgr.messages import CacheType

#: The message id as it came, the cache, and the cache id. A plain tuple: no other is made as fast.
Lookup: TypeAlias = tuple[bytes, CacheType, bytes]

_REQUEST: Final = b"\x94\x00"  # an array of four, and the kind
_ID_AT: Final = len(_REQUEST)
_PAIR: Final = b"\x92"  # an array of two
_BIN_8, _BIN_16, _BIN_32 = b"\xc4", b"\xc5", b"\xc6"
_BIN_8_END, _BIN_16_END = 1 << 8, 1 << 16
_FIXINTS: Final = 0x80
_UINTS: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4}  # the bytes of an unsigned integer that follow its first

# Where a message id ends, by its first byte; 0 for what is none.
_ID_ENDS: Final = bytes(
    0 if first >= _FIXINTS and first not in _UINTS else _ID_AT + 1 + _UINTS.get(first, 0)
    for first in range(256)
)


def _text(text: str) -> bytes:
    return bytes([0xA0 | len(text)]) + text.encode()


_HEADS: Final = {_text("lookup") + _PAIR + _text(cache.value): cache for cache in CacheType}
_RESPONSE: Final = b"\x94\x01"
_FOUND: Final = b"\xc0\x82" + _text("status") + b"\x00" + _text("session")  # no error, and a map of two


def lookup_in(data: bytes) -> Lookup | None:
    """Return the lookup that the bytes are, whole and in the usual form; None says nothing of them."""
    if len(data) <= _ID_AT or data[:_ID_AT] != _REQUEST:
        return None
    id_end = _ID_ENDS[data[_ID_AT]]
    head, _, cache_id = data[id_end:].partition(_BIN_8)
    cache_type = _HEADS.get(head)
    if cache_type is None or not cache_id or cache_id[0] != len(cache_id) - 1:
        return None
    return data[_ID_AT:id_end], cache_type, cache_id[1:]


def encode_found(message_id: bytes, session: bytes) -> bytes:
    """Return the response to a lookup of that id, which found ``session``."""
    size = len(session)
    if size < _BIN_8_END:
        head = _BIN_8 + size.to_bytes(1, "big")
    elif size < _BIN_16_END:
        head = _BIN_16 + size.to_bytes(2, "big")
    else:
        head = _BIN_32 + size.to_bytes(4, "big")
    return b"".join((_RESPONSE, message_id, _FOUND, head, session))
