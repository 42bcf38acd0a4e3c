"""Attribute lists of Postfix's null-terminated encoding: where one ends, and its values.

A list is ``name NUL value NUL`` any number of times, ended by an empty name (attr_scan0(3)).
This module knows no attribute by name.
"""

import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

NUL: Final = b"\0"
_WORD: Final = 1 << 32
_LONG_MAX: Final = (1 << 64) - 1
_LONG_DIGITS: Final = 20
_SHORT: Final = 9  # so many digits fit 31 bits
_GROUP: Final = 4
_PADDED: Final = (2, 3)  # where in a group padding may begin

_NUMBER: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)0*([0-9]*)(?<=[0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversized:
    """A list longer than the limit. ``fields`` are those that are whole within the limit."""

    fields: list[bytes]


class ListReader:
    """Cuts a byte stream into attribute lists of at most ``limit`` bytes, terminator included.

    What it gives does not depend on how the bytes were cut into chunks. When
    ``next_list`` is called until it gives None after each ``feed``, no more than
    ``limit`` bytes and one chunk are ever held.
    """

    __slots__ = ("_field", "_held", "_in_name", "_limit", "_seen", "_skipping")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()  # begins where the list does
        self._skipping = False  # the rest of an oversized list
        self._field = 0  # where the field being read begins
        self._seen = 0  # how far nulls were looked for
        self._in_name = True

    @property
    def pending(self) -> bool:
        """Whether a part of a list is held, or the rest of an oversized one awaited."""
        return self._skipping or bool(self._held)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._held += data
        if self._skipping:
            self._skip()

    def take_prefix(self, prefix: bytes) -> bool:
        """Take ``prefix`` off when the next list begins with it; return whether it did."""
        if self._skipping or not self._held.startswith(prefix):
            return False
        self._consume(len(prefix))
        return True

    def next_list(self) -> list[bytes] | Oversized | None:
        """Return the next list as name, value, name, value ..., or None for "need more".

        An oversized list is told as soon as one byte more than the limit is there;
        the rest of it is dropped as it comes in.
        """
        if self._skipping:
            return None
        end = self._find_end()
        if end is None and len(self._held) <= self._limit:
            return None
        if end is not None and end <= self._limit:
            fields = bytes(self._held[:end]).split(NUL)[:-2]
            self._consume(end)
            return fields
        oversized = Oversized(fields=bytes(self._held[: self._limit]).split(NUL)[:-1])
        self._drop(end)
        return oversized

    def _find_end(self) -> int | None:
        """Search what was not searched before; return where the list ends."""
        while (nul := self._held.find(NUL, self._seen)) >= 0:
            was_empty = nul == self._field
            self._seen = self._field = nul + 1
            if was_empty and self._in_name:
                return self._seen
            self._in_name = not self._in_name
        self._seen = len(self._held)
        return None

    def _drop(self, end: int | None) -> None:
        if end is not None:
            self._skipping = False
            self._consume(end)
            return
        self._skipping = True
        # One byte of an unfinished field is kept: it tells that the field is not empty.
        self._held = self._held[max(self._field, len(self._held) - 1) :]
        self._field, self._seen = 0, len(self._held)

    def _skip(self) -> None:
        self._drop(self._find_end())

    def _consume(self, size: int) -> None:
        del self._held[:size]
        self._field = self._seen = 0
        self._in_name = True


def encode_list(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the list of these names and values.

    Raises:
        ValueError: a name is empty, or a name or value contains a null byte.
    """
    encoded = bytearray()
    for name, value in pairs:
        if not name or NUL in name or NUL in value:
            raise ValueError("an attribute cannot have an empty name or contain a null byte")
        encoded += name + NUL + value + NUL
    return bytes(encoded + NUL)


#: Returns its argument in padded base64 without white space.
encode_base64: Final[Callable[[bytes], bytes]] = partial(binascii.b2a_base64, newline=False)


def decode_base64(text: bytes) -> bytes | None:
    """Return what ``text`` encodes, or None when Postfix's base64_decode(3) refuses it.

    Like Postfix it wants whole groups of four from the standard alphabet, and takes the
    first padding in a valid place as the end, whatever follows.
    """
    end = text.find(b"=")
    if len(text) % _GROUP or (end >= 0 and end % _GROUP not in _PADDED):
        # Python itself takes any number of "=" behind whole groups.
        return None
    if end >= 0:
        text = text[:end] + b"=" * (-end % _GROUP)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None


def encode_integer(number: int) -> bytes:
    """Return ``number`` as an unsigned 32-bit decimal: -1 becomes 4294967295."""
    return b"%d" % (number % _WORD)


def decode_integer(text: bytes) -> int | None:
    """Return the signed 32-bit number that Postfix's attr_scan(3) makes of ``text``, or None.

    That is sscanf's ``%u`` on a machine of 64 bits with nothing behind it: white space
    and a sign may stand in front; what does not fit is cut to 32 bits, and what does not fit
    64 bits becomes -1.
    """
    if len(text) <= _SHORT and text.isdigit():
        return int(text)
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits = match.groups()
    # int() of very many digits takes long and, beyond a limit of its own, raises.
    if len(digits) > _LONG_DIGITS or (number := int(digits or b"0")) > _LONG_MAX:
        return -1
    number = (-number if sign == b"-" else number) % _WORD
    return number - _WORD if number >= _WORD // 2 else number
