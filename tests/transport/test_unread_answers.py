"""Clients that do not read what they asked for, or read late."""

import asyncio
import socket

import pytest
import uvloop

from tests.transport.lines import Lines, connected, serving, size_that_the_kernel_takes, until
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
