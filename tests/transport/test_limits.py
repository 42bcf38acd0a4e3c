"""What a server does when there are too many clients, and which of them pay for it."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack, ExitStack

import pytest
import uvloop

from tests.transport.lines import Lines, connected, serving, size_that_the_kernel_takes, until
from tlsmgr.transport import server as server_module

LIMIT = 3
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(streams: Streams, line: bytes = b"a\n") -> bytes:
    """Ask, and return the answer: nothing when the server ended the connection."""
    reader, writer = streams
    writer.write(line)
    return await reader.readline()


def test_at_the_limit_a_connection_not_used_lately_makes_room(caplog: pytest.LogCaptureFixture) -> None:
    """A new client is served at once, the busy ones go on, and the idle one finds its connection ended."""

    async def run() -> None:
        async with serving(Lines, connection_limit=LIMIT) as (server, path), AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(path)) for _ in range(LIMIT)]
            for client in clients:
                assert await ask(client) == b"a\n"
            first = await stack.enter_async_context(connected(path))
            assert await ask(first) == b"a\n"
            # All had been used: it was the oldest that went. From now on use makes the difference.
            assert await clients[0][0].read() == b""
            assert await ask(clients[1]) == b"a\n"
            second = await stack.enter_async_context(connected(path))
            assert await ask(second) == b"a\n"
            assert await clients[2][0].read() == b""
            assert await ask(clients[1]) == b"a\n"
            assert (server.figures.open, server.figures.evicted) == (LIMIT, 2)

    uvloop.run(run())
    assert caplog.text.count("closing idle connections") == 1


def test_a_client_that_waits_for_an_answer_is_never_closed_for_another() -> None:
    """When all wait, one more is let in, and those after it stay in the queue until one has gone."""

    async def run() -> None:
        dialogue = Lines()
        async with (
            serving(lambda: dialogue, connection_limit=LIMIT) as (server, path),
            AsyncExitStack() as stack,
        ):
            clients: list[Streams] = []
            for number in range(1, LIMIT + 4):
                clients.append(await stack.enter_async_context(connected(path)))
                clients[-1][1].write(b"LATER x\n")
                await until(lambda: len(dialogue.later) == min(number, LIMIT + 1))  # noqa: B023 - awaited here
            assert server.figures.open == LIMIT + 1
            assert server.figures.evicted == 0
            for later in dialogue.later:
                later.set_result(b"x")
            for reader, _ in clients[: LIMIT + 1]:
                assert await reader.readline() == b"x\n"
            for _, writer in clients[: LIMIT + 1]:
                writer.close()
            await until(lambda: len(dialogue.later) == LIMIT + 3)
            for later in dialogue.later[LIMIT + 1 :]:
                later.set_result(b"y")
            for reader, _ in clients[LIMIT + 1 :]:
                assert await reader.readline() == b"y\n"

    uvloop.run(run())


def test_connections_that_have_their_answers_make_room_for_those_in_the_queue() -> None:
    """It needs no client to end its connection: those that were answered are idle."""

    async def run() -> None:
        dialogue = Lines()
        async with (
            serving(lambda: dialogue, connection_limit=LIMIT) as (server, path),
            AsyncExitStack() as stack,
        ):
            clients: list[Streams] = []
            for number in range(1, LIMIT + 2):
                clients.append(await stack.enter_async_context(connected(path)))
                clients[-1][1].write(b"LATER x\n")
                await until(lambda: len(dialogue.later) == number)  # noqa: B023 - awaited here
            for later in dialogue.later[:-1]:
                later.set_result(b"x")
            for reader, _ in clients[:-1]:
                assert await reader.readline() == b"x\n"
            late = [await stack.enter_async_context(connected(path)) for _ in range(LIMIT - 1)]
            for client in late:
                assert await ask(client) == b"a\n"
            assert server.figures.open <= LIMIT
            dialogue.later[-1].set_result(b"y")
            assert await clients[-1][0].readline() == b"y\n"

    uvloop.run(run())


def test_the_limit_can_be_changed_while_serving() -> None:
    """A lower one holds from the next new client on."""

    async def run() -> None:
        async with serving(Lines) as (server, path), AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(path)) for _ in range(5)]
            for client in clients:
                assert await ask(client) == b"a\n"
            server.limit_connections(2)
            last = await stack.enter_async_context(connected(path))
            assert await ask(last) == b"a\n"
            await until(lambda: server.figures.open == 2)

    uvloop.run(run())


def test_of_too_many_half_requests_the_oldest_are_dropped(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What all clients together make us hold is bounded; one that only waits is not among them."""
    monkeypatch.setattr(server_module, "_HOLDING_MAX", 4)

    async def run() -> None:
        async with serving(Lines) as (server, path), AsyncExitStack() as stack:
            good = await stack.enter_async_context(connected(path))
            bad = [await stack.enter_async_context(connected(path)) for _ in range(6)]
            for _, writer in bad:
                writer.write(b"half")
            await until(lambda: server.figures.dropped == 2)
            assert await ask(good) == b"a\n"
            ended = [client for client in bad if client[0].at_eof() or not await ask(client, b"\n")]
            assert len(ended) == 2
            assert await ask(good) == b"a\n"

    uvloop.run(run())
    assert caplog.text.count("dropping some") == 1


def test_a_client_that_does_not_read_counts_as_one_that_makes_us_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unread answers are bytes held too, however few the kernel does not take."""
    monkeypatch.setattr(server_module, "_HOLDING_MAX", 2)

    async def run() -> None:
        async with serving(Lines) as (server, path), AsyncExitStack() as stack:
            for _ in range(3):
                reader, writer = await stack.enter_async_context(connected(path))
                reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001 - streams offer no other way
                writer.write(b"BIG %d\n" % (size_that_the_kernel_takes() + 1))
            await until(lambda: server.figures.dropped == 1)

    uvloop.run(run())


def test_refusals_are_counted_each_and_logged_once_a_minute_for_a_user(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who may not ask cannot fill the log."""

    async def run() -> None:
        async with serving(Lines, welcome=frozenset()) as (server, path):
            for number in range(1, 6):
                async with connected(path) as (reader, _):
                    assert await reader.read() == b""
                    assert server.figures.refused == number

    uvloop.run(run())
    assert caplog.text.count(f"uid {os.geteuid()}, pid {os.getpid()}") == 1


def test_many_may_connect_in_one_instant() -> None:
    """None of those that come while the server is busy with something else is turned away."""

    async def run() -> None:
        async with serving(Lines) as (server, path):
            with ExitStack() as stack:
                for _ in range(500):
                    # Without waiting: connect() fails when the queue is full.
                    client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                    client.setblocking(False)  # noqa: FBT003 - socket's own signature
                    client.connect(str(path))
                await until(lambda: server.figures.open == 500)
            await until(lambda: server.figures.open == 0)

    uvloop.run(run())
