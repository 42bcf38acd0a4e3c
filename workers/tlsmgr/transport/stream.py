"""An accepted socket in the event loop: gives what arrives, and takes what is to be sent."""

import asyncio
import socket
from typing import Protocol

# Of one read; what is more is read after the others' turn. It is for a moment taken from the heap,
# which for 64 KiB and more is tidied up whenever that is given back.
_READ_SIZE = 32768


class Receiver(Protocol):
    """Whom a stream serves."""

    def data_received(self, data: bytes) -> None:
        """Take what arrived, which is never empty."""

    def eof_received(self) -> None:
        """Take note that no more will arrive; what is written still goes out."""

    def pause_writing(self) -> None:
        """Take note that the peer does not read: what is written is held until it does."""

    def resume_writing(self) -> None:
        """Take note that all has been sent."""

    def connection_lost(self) -> None:
        """Forget the stream. Called once, whoever closed it, and nothing after that."""


class Stream:
    """Reads as bytes come, and writes at once what the kernel takes.

    The event loop's own transports cost twice as much to open, since that takes a task and several
    turns of the loop, and write at the end of a turn only.

    Args:
        accepted: Connected and non-blocking; this object owns it.
        receiver: Is called from the event loop; ``pause_writing`` from within ``write`` too.

    Raises:
        OSError: The event loop cannot watch the socket, which is left as it is.
    """

    __slots__ = (
        "_descriptor",
        "_is_over",
        "_is_reading",
        "_loop",
        "_receive",
        "_receiver",
        "_send",
        "_socket",
        "_unsent",
    )

    def __init__(self, accepted: socket.socket, receiver: Receiver) -> None:
        self._socket = accepted
        self._descriptor = accepted.fileno()
        self._send = accepted.send
        self._receive = accepted.recv
        self._receiver = receiver
        self._unsent: bytearray | None = None
        self._is_over = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._read)
        self._is_reading = True

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed, by whichever end."""
        return self._is_over

    def write(self, data: bytes | bytearray) -> None:
        """Send this, now or as soon as the peer reads; nothing, once the stream is closed."""
        sent = 0
        if self._unsent is None and not self._is_over:
            try:
                sent = self._send(data)
            except OSError as error:
                self._note(error)
        if sent < len(data) and not self._is_over:
            self._hold(memoryview(data)[sent:])

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._descriptor)

    def resume_reading(self) -> None:
        """Read again."""
        if not self._is_reading and not self._is_over:
            self._is_reading = True
            self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Close, whatever was not sent; ``connection_lost`` is called soon."""
        if self._is_over:
            return
        self._is_over = True
        self.pause_reading()
        if self._unsent is not None:
            self._unsent = None
            self._loop.remove_writer(self._descriptor)
        self._loop.call_soon(self._end)

    def _end(self) -> None:
        self._socket.close()
        receiver = self._receiver
        del self._receiver  # they know each other: no work for the garbage collector
        receiver.connection_lost()

    def _read(self) -> None:
        try:
            data = self._receive(_READ_SIZE)
        except OSError as error:
            self._note(error)
            return
        if data:
            self._receiver.data_received(data)
        else:
            self.pause_reading()
            self._receiver.eof_received()

    def _note(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError | InterruptedError):
            self.close()  # the peer is gone

    def _hold(self, rest: memoryview) -> None:
        if self._unsent is not None:
            self._unsent += rest
            return
        self._unsent = bytearray(rest)
        self._loop.add_writer(self._descriptor, self._write_rest)
        self._receiver.pause_writing()

    def _write_rest(self) -> None:
        rest = self._unsent
        if rest is None:
            return
        try:
            del rest[: self._send(rest)]
        except OSError as error:
            self._note(error)
            return
        if not rest:
            self._unsent = None
            self._loop.remove_writer(self._descriptor)
            self._receiver.resume_writing()
