"""Supervisor's protocol for event listeners (version 3.0): bytes to events. No I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tlsmgr.errors import ProtocolError

#: What a listener writes when it is ready for the next event, and when it is done with one.
READY = b"READY\n"
DONE = b"RESULT 2\nOK"

_HEADER_LIMIT = 65536
_LENGTH_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event: its name, as in ``PROCESS_STATE_RUNNING``, and the fields of its payload."""

    name: str
    fields: Mapping[str, str]


class EventReader:
    """Makes events of what supervisord writes to a listener's standard input."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes; yield the events that are complete with them.

        Raises:
            ProtocolError: They are no events, or one is larger than 1 MB.
        """
        self._buffer += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        header, end, rest = self._buffer.partition(b"\n")
        if not end:
            if len(header) > _HEADER_LIMIT:
                raise ProtocolError(f"supervisord sent a header of more than {_HEADER_LIMIT} bytes")
            return None
        name, length = _name_and_length(_fields(bytes(header)))
        if len(rest) < length:
            return None
        del self._buffer[: len(header) + 1 + length]
        return Event(name=name, fields=_fields(bytes(rest[:length]).partition(b"\n")[0]))


def _name_and_length(header: Mapping[str, str]) -> tuple[str, int]:
    name, length = header.get("eventname", ""), header.get("len", "")
    if not name or not (length.isascii() and length.isdigit()):
        raise ProtocolError("supervisord sent an event without a name or a length")
    if len(length) > _LENGTH_DIGITS:
        raise ProtocolError(f"supervisord sent an event of {length[:20]} bytes")
    return name, int(length)


def _fields(line: bytes) -> dict[str, str]:
    words = (word.partition(":") for word in line.decode("utf-8", "replace").split())
    return {name: value for name, _, value in words}
