"""A small protocol of lines for tests of the transport, with a server and raw clients."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tlsmgr.errors import ProtocolError
from tlsmgr.transport.deadline import Deadlines
from tlsmgr.transport.dialogue import Deferred, Dialogue, EndOfDialogue
from tlsmgr.transport.server import CONNECTION_LIMIT, SocketServer
from tlsmgr.transport.unix_socket import listen

DEADLINE_SECONDS = 5.0


class Lines:
    """Answers a line with itself; lines of capitals ask for other behaviour.

    ``LATER x`` is answered with x when the test says so, ``BIG n`` with n bytes, ``BAD`` is no
    protocol, ``BYE`` is the end, ``CRASH`` and ``CRASH LATER`` are defects of the server.
    """

    greeting = b""

    def __init__(self, *, in_order: bool = False) -> None:
        self.in_order = in_order
        self.later: list[asyncio.Future[bytes]] = []
        self.taken = 0
        self._buffer = b""

    @property
    def is_mid_request(self) -> bool:
        """Whether bytes are left."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data

    def answer_whole(self, data: bytes) -> bytes | Deferred | None:
        """Take bytes, and answer them if they are one line."""
        self.feed(data)
        return self.next_answer() if self._buffer.find(b"\n") == len(self._buffer) - 1 else None

    def next_answer(self) -> bytes | Deferred | None:
        """Answer the next whole line."""
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        self.taken += 1
        return self._answer(line)

    def _answer(self, line: bytes) -> bytes | Deferred:
        match line.split():
            case [b"LATER", _]:
                self.later.append(asyncio.get_running_loop().create_future())
                return Deferred(self.later[-1], lambda result: result + b"\n")
            case [b"BIG", size]:
                return bytes(int(size))
            case [b"BAD"]:
                raise ProtocolError("no such line")
            case [b"BYE"]:
                raise EndOfDialogue
            case [b"CRASH"]:
                raise ValueError("secret")
            case [b"CRASH", b"LATER"]:
                self.later.append(asyncio.get_running_loop().create_future())
                return Deferred(self.later[-1], _crash)
        return line + b"\n"


def _crash(result: object) -> bytes:
    raise ValueError(f"secret {result!r}")


@contextmanager
def short_directory() -> Iterator[Path]:
    """Give a directory whose path leaves room for a socket's name (107 bytes in all)."""
    with tempfile.TemporaryDirectory(prefix="tt", dir="/tmp") as name:
        yield Path(name)


@asynccontextmanager
async def serving(
    make_dialogue: Callable[[], Dialogue],
    *,
    deadlines: Deadlines | None = None,
    welcome: frozenset[int] | None = None,
    connection_limit: int = CONNECTION_LIMIT,
) -> AsyncIterator[tuple[SocketServer, Path]]:
    """Serve a dialogue on a socket of its own, and drain the server in the end."""
    with short_directory() as directory:
        path = directory / "s"
        users = frozenset([os.geteuid()]) if welcome is None else welcome
        server = SocketServer(
            listen(path, mode=0o600),
            lambda _: make_dialogue(),
            welcome=users,
            deadlines=deadlines,
            connection_limit=connection_limit,
        )
        await server.start()
        try:
            yield server, path
        finally:
            await server.drain(0.2)


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, with everything that the client does bounded in time."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds; fail when it never does."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - conditions are of any kind, no event tells
            await asyncio.sleep(0.001)


def size_that_the_kernel_takes() -> int:
    """Return how much of one large answer the kernel takes for a client that does not read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)  # noqa: FBT003 - socket's own signature
        return ours.send(bytes(4 << 20))
