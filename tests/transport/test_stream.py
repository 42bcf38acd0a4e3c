"""A stream alone, with the other end of its socket in the test's hands."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.transport.lines import size_that_the_kernel_takes, until
from tlsmgr.transport.stream import Stream


class Told:
    """Remembers what it is told, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        self.data += data

    def eof_received(self) -> None:
        """No more will arrive."""
        self.events.append("eof")

    def pause_writing(self) -> None:
        """The peer does not read."""
        self.events.append("pause")

    def resume_writing(self) -> None:
        """All has been sent."""
        self.events.append("resume")

    def connection_lost(self) -> None:
        """It is over."""
        self.events.append("lost")


def _with_stream(work: Callable[[Stream, Told, socket.socket], Coroutine[Any, Any, None]]) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)  # noqa: FBT003 - socket's own signature
    theirs.setblocking(False)  # noqa: FBT003 - likewise
    told = Told()

    async def run() -> None:
        await work(Stream(ours, told), told, theirs)

    with theirs:
        uvloop.run(run())
    assert ours.fileno() == -1


def test_what_the_kernel_does_not_take_is_sent_when_the_peer_reads() -> None:
    """All of it, in order, with what was written meanwhile; and the receiver is told both times."""
    first = bytes(range(256)) * (2 * size_that_the_kernel_takes() // 256)

    async def work(stream: Stream, told: Told, theirs: socket.socket) -> None:
        stream.write(first)
        assert told.events == ["pause"]
        stream.write(b"behind")
        received = b""
        while not received.endswith(b"behind"):
            received += await asyncio.get_running_loop().sock_recv(theirs, 65536)
        assert received == first + b"behind"
        await until(lambda: told.events == ["pause", "resume"])
        stream.write(b"at once")
        assert theirs.recv(100) == b"at once"
        stream.close()
        await until(lambda: told.events[-1] == "lost")

    _with_stream(work)


def test_nothing_is_read_while_reading_is_paused() -> None:
    """It is there when reading goes on."""

    async def work(stream: Stream, told: Told, theirs: socket.socket) -> None:
        stream.pause_reading()
        stream.pause_reading()
        theirs.send(b"early")
        await asyncio.sleep(0.01)
        assert told.data == b""
        stream.resume_reading()
        await until(lambda: told.data == b"early")
        theirs.shutdown(socket.SHUT_WR)
        await until(lambda: told.events == ["eof"])
        stream.write(b"still")
        assert theirs.recv(100) == b"still"
        stream.close()
        await until(lambda: told.events == ["eof", "lost"])

    _with_stream(work)


@pytest.mark.parametrize("holds", [False, True])
def test_after_its_end_a_stream_does_nothing(holds: bool) -> None:  # noqa: FBT001 - pytest's way
    """It tells of it once, though closed twice, and neither writes nor reads again."""

    async def work(stream: Stream, told: Told, theirs: socket.socket) -> None:
        if holds:
            stream.write(bytes(2 * size_that_the_kernel_takes()))
        theirs.send(b"unread")
        stream.close()
        stream.close()
        assert stream.is_closed
        stream.write(b"too late")
        stream.resume_reading()
        await until(lambda: told.events[-1:] == ["lost"])
        stream.write(b"later still")
        stream.pause_reading()
        await asyncio.sleep(0.01)
        assert (told.data, told.events.count("lost")) == (b"", 1)

    _with_stream(work)


def test_a_peer_that_has_gone_ends_the_stream() -> None:
    """Whether that shows itself when it is written to, or when what is held is sent."""

    async def work(stream: Stream, told: Told, theirs: socket.socket) -> None:
        stream.pause_reading()
        stream.write(bytes(2 * size_that_the_kernel_takes()))
        theirs.close()
        await until(lambda: told.events == ["pause", "lost"])

    async def work_at_once(stream: Stream, told: Told, theirs: socket.socket) -> None:
        theirs.close()
        stream.write(b"to nobody")
        await until(lambda: told.events == ["lost"])

    _with_stream(work)
    _with_stream(work_at_once)
