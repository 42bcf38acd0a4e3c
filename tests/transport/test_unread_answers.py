"""Clients that do not read what they asked for, or read late."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from tests.transport.lines import Lines, connected, serving, size_that_the_kernel_takes, until
from tests.transport.test_limits import ask
from tlsmgr.transport.deadline import Deadlines

QUICK = Deadlines(half_request=0.05, write=0.05)
#: More than the kernel keeps for one socket, so that a server gets stuck with it.
MORE_THAN_THE_KERNEL_HOLDS = 4 << 20


def test_a_client_that_does_not_read_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """It gets some time; the server and its other clients go on meanwhile."""

    async def run() -> None:
        async with (
            serving(Lines, deadlines=QUICK) as (server, path),
            connected(path) as (reader, writer),
        ):
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - streams offer no other way
            writer.write(b"BIG %d\n" % MORE_THAN_THE_KERNEL_HOLDS)
            await until(lambda: server.figures.accepted == 1)
            await until(lambda: server.figures.open == 0)

    uvloop.run(run())
    assert "does not read its answers" in caplog.text


def test_a_client_is_dropped_for_the_first_byte_that_the_kernel_does_not_take(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However little we are left with, we do not keep it for ever."""

    async def run() -> None:
        async with (
            serving(Lines, deadlines=QUICK) as (server, path),
            connected(path) as (reader, writer),
        ):
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - as above
            writer.write(b"BIG %d\n" % (size_that_the_kernel_takes() + 1))
            await until(lambda: server.figures.accepted == 1)
            await until(lambda: server.figures.open == 0)

    uvloop.run(run())
    assert "does not read its answers" in caplog.text


def test_a_client_that_goes_with_an_answer_unread_leaves_nothing_behind() -> None:
    """Also in the middle of its next request: nobody waits for the rest until a deadline."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (server, path):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.send(b"a\n")
                await until(lambda: dialogue.taken == 1)
                client.send(b"hal")
            await until(lambda: server.figures.open == 0)

    uvloop.run(run())


def test_an_answer_larger_than_the_kernel_holds_arrives_whole() -> None:
    """And the next one behind it, in its place."""

    async def run() -> None:
        async with serving(Lines) as (_, path), connected(path) as (reader, writer):
            for _ in range(3):
                writer.write(b"BIG %d\n" % MORE_THAN_THE_KERNEL_HOLDS)
                await asyncio.sleep(0)
                writer.write(b"next\n")
                assert await reader.readexactly(MORE_THAN_THE_KERNEL_HOLDS) == bytes(
                    MORE_THAN_THE_KERNEL_HOLDS
                )
                assert await reader.readexactly(5) == b"next\n"

    uvloop.run(run())


def test_what_is_held_for_a_client_that_does_not_read_is_bounded() -> None:
    """Of thousands of requests in one piece, only as many are taken as the socket has room for."""

    async def run() -> None:
        dialogue = Lines()
        slow = Deadlines(write=5.0)
        async with (
            serving(lambda: dialogue, deadlines=slow) as (_, path),
            connected(path) as (reader, writer),
        ):
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - streams offer no other way
            writer.write(b"BIG 60000\n" * 1000)
            await until(lambda: dialogue.taken > 1)
            for _ in range(50):
                await asyncio.sleep(0)
            assert dialogue.taken < 50
            reader._transport.resume_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - likewise
            assert len(await reader.readexactly(60000 * 1000)) == 60000 * 1000

    uvloop.run(run())


def test_a_half_closed_client_that_does_not_read_is_dropped() -> None:
    """Answers that fill neither the kernel's buffer nor ours do not keep a connection for ever."""

    async def run() -> None:
        async with serving(Lines, deadlines=QUICK) as (server, path):
            reader, writer = await asyncio.open_unix_connection(str(path))
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - as above
            writer.write(b"BIG 30000\n" * 9)
            writer.write_eof()
            await until(lambda: server.figures.accepted == 1)
            await until(lambda: server.figures.open == 0)
            writer.transport.abort()

    uvloop.run(run())


async def _read_slowly(client: socket.socket, bite: int) -> None:
    """Read so many bytes about once a millisecond, for ever."""
    with suppress(ConnectionError):
        while await asyncio.get_running_loop().sock_recv(client, bite):  # noqa: ASYNC110 - it waits for no event
            await asyncio.sleep(0.001)


@asynccontextmanager
async def slow_client(path: Path, requests: bytes, bite: int) -> AsyncIterator[None]:
    """Ask for much, and read it slowly."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)  # noqa: FBT003 - socket's own signature
        await loop.sock_connect(client, str(path))
        await loop.sock_sendall(client, requests)
        reading = loop.create_task(_read_slowly(client, bite))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait([reading])


@pytest.mark.parametrize(
    ("requests", "bite"),
    [(b"BIG 60000\n" * 1000, 8), (b"BIG %d\n" % MORE_THAN_THE_KERNEL_HOLDS, 2000)],
    ids=["many answers", "one that goes out piece by piece"],
)
def test_a_client_that_reads_slowly_for_ever_is_dropped_in_time(
    caplog: pytest.LogCaptureFixture, requests: bytes, bite: int
) -> None:
    """What it reads buys it no time, little is held for it, and another one is served meanwhile."""
    deadline = 0.5

    async def run() -> None:
        slow, answered = Lines(), 0
        dialogues = [Lines(), slow]  # the last one is for the first client
        began = asyncio.get_running_loop().time()
        async with (
            serving(dialogues.pop, deadlines=Deadlines(write=deadline)) as (server, path),
            slow_client(path, requests, bite),
        ):
            await until(lambda: slow.taken > 0)
            async with connected(path) as other:
                while await ask(other) == b"a\n" and server.figures.open == 2:
                    answered += 1
                assert server.figures.open == 1
        assert asyncio.get_running_loop().time() - began > 0.9 * deadline
        assert answered > 0
        assert slow.taken < 50

    uvloop.run(run())
    assert caplog.text.count("does not read its answers") == 1
