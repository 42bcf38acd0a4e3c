"""MessagePack arrays out of a byte stream, within bounds, without I/O."""

from typing import Any, Final

import msgpack

from tlsmgr.errors import ProtocolError

_READ_SIZE: Final = 4096


def _refuse_extension(code: int, _data: bytes) -> object:
    """Refuse the extension types that are too short for max_ext_len to catch."""
    raise ValueError(f"extension type {code}")


def bounds(limit: int, length_max: int) -> dict[str, Any]:
    """Return the options that an unpacker has, whoever reads.

    Args:
        limit: bytes of one message.
        length_max: elements of one array or map.
    """
    return {
        "use_list": False,
        "ext_hook": _refuse_extension,
        "max_ext_len": 0,
        "max_array_len": length_max,
        "max_map_len": length_max,
        "max_buffer_size": limit,
        "read_size": min(limit, _READ_SIZE),
    }


class MessageReader:
    """Cuts a byte stream into MessagePack arrays of at most ``limit`` bytes.

    Attributes:
        failure: Why the stream cannot be read any further, once that is so.
    """

    __slots__ = ("_backlog", "_fed", "_kept", "_limit", "_start", "_unpacker", "failure")

    def __init__(self, limit: int, unpacker: msgpack.Unpacker) -> None:
        self._limit = limit
        self._unpacker = unpacker
        self._backlog = b""  # what came and is not the unpacker's yet
        self._fed = 0  # bytes that the unpacker got
        self._start = 0  # where in these the message being read begins
        self._kept: tuple[object, ...] | None = None  # a message that somebody else is to take
        self.failure: ProtocolError | None = None

    @property
    def pending(self) -> bool:
        """Whether bytes are held that do not make a message yet."""
        return bool(self._backlog) or self._fed > self._start

    @property
    def is_between_messages(self) -> bool:
        """Whether the next byte begins a message, all before it having been given."""
        return not (self._backlog or self._fed != self._start or self._kept or self.failure)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream, in chunks of any size."""
        self._backlog = self._backlog + data if self._backlog else data

    def take_whole(self, data: bytes) -> tuple[object, ...] | None:
        """Take the next bytes; return the array if they are exactly one, which is nearly always so.

        The same as ``feed`` and then ``next_message``, in one step. With None, that is to follow.

        Raises:
            ProtocolError: as ``next_message`` does.
        """
        if self._backlog or self._fed != self._start or self.failure or len(data) > self._limit:
            self.feed(data)
            return None
        self._unpacker.feed(data)
        self._fed += len(data)
        try:
            message = self._try_unpack()
        except ProtocolError as error:
            self.failure = error
            raise
        if self._fed == self._start:
            return message
        self._kept = message
        return None

    def put_back(self, message: tuple[object, ...]) -> None:
        """Have ``next_message`` return ``message``, which ``take_whole`` returned, once more."""
        self._kept = message

    def next_message(self) -> tuple[object, ...] | None:
        """Return the next array, or None when more bytes are needed.

        Raises:
            ProtocolError: ``failure``, again and again.
        """
        if self._kept is not None:
            message, self._kept = self._kept, None
            return message
        if self.failure is not None:
            raise self.failure
        try:
            return self._unpack()
        except ProtocolError as error:
            self.failure = error
            self._backlog = b""
            raise

    def _unpack(self) -> tuple[object, ...] | None:
        """Unpack the next message, giving the unpacker no byte beyond the limit of it.

        So the limit holds for the message, not for the chunks that it came in.
        """
        while True:
            # The unpacker goes on where it stopped: a message in many chunks is read once.
            message = self._try_unpack() if self._fed > self._start else None
            if message is not None or not self._backlog:
                return message
            room = self._limit - (self._fed - self._start)
            if room <= 0:
                raise ProtocolError(f"the message is longer than the limit of {self._limit} bytes")
            piece, self._backlog = self._backlog[:room], self._backlog[room:]
            self._unpacker.feed(piece)
            self._fed += len(piece)

    def _try_unpack(self) -> tuple[object, ...] | None:
        try:
            message = self._unpacker.unpack()
        except msgpack.OutOfData:
            return None
        # TypeError is a map key that cannot be hashed; the others are ValueErrors too, except
        # where msgpack's C and Python versions differ.
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
            raise ProtocolError(f"not MessagePack as this protocol uses it: {error}"[:200]) from error
        self._start = self._unpacker.tell()
        if not isinstance(message, tuple):
            raise ProtocolError("not MessagePack-RPC: expected an array")
        return message
