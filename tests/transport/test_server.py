import asyncio
import os
from contextlib import suppress
from dataclasses import replace

import pytest
import uvloop

from tests.transport.lines import Lines, connected, serving, short_directory, until
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen


def test_drain_answers_what_was_read() -> None:
    """Requests behind an answer under way are served too, then the connection ends."""

    async def run() -> None:
        dialogue = Lines(in_order=True)
        async with serving(lambda: dialogue) as (server, path), connected(path) as (reader, writer):
            writer.write(b"LATER 1\nb\nLATER 2\nd\n")
            await until(lambda: len(dialogue.later) == 1)
            draining = asyncio.ensure_future(server.drain(2.0))
            await until(lambda: not path.exists())
            dialogue.later[0].set_result(b"one")
            await until(lambda: len(dialogue.later) == 2)
            dialogue.later[1].set_result(b"two")
            await draining
            assert await reader.read() == b"one\nb\ntwo\nd\n"

    uvloop.run(run())


def test_drain_ends_idle_connections_at_once() -> None:
    """Nobody waits for a client that asked nothing, and nobody new gets in."""

    async def run() -> None:
        async with serving(Lines) as (server, path), connected(path) as (reader, _):
            await until(lambda: server.figures.open == 1)
            await server.drain(2.0)
            assert await reader.read() == b""
            assert server.figures.open == 0
            with pytest.raises(FileNotFoundError):
                await asyncio.open_unix_connection(str(path))

    uvloop.run(run())


def test_drain_keeps_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """An answer that does not come does not keep the server from ending."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (server, path), connected(path) as (reader, writer):
            writer.write(b"LATER 1\n")
            await until(lambda: len(dialogue.later) == 1)
            await server.drain(0.05)
            assert await reader.read() == b""
            await until(lambda: server.figures.open == 0)

    uvloop.run(run())
    assert "did not end" in caplog.text


def test_an_unwelcome_peer_is_disconnected_before_a_byte(caplog: pytest.LogCaptureFixture) -> None:
    """It is neither greeted nor read from; it is counted, and named in the log."""

    async def run() -> None:
        dialogue = Lines()
        dialogue.greeting = b"hello\n"
        async with (
            serving(lambda: dialogue, welcome=frozenset()) as (server, path),
            connected(path) as (reader, writer),
        ):
            writer.write(b"a\n")
            with suppress(ConnectionResetError, BrokenPipeError):
                assert await reader.read() == b""
            assert dialogue.taken == 0
            assert (server.figures.refused, server.figures.accepted) == (1, 0)

    uvloop.run(run())
    assert f"uid {os.geteuid()}, pid {os.getpid()}" in caplog.text


def test_a_welcome_peer_is_greeted() -> None:
    """The server speaks first where the protocol has it so."""

    async def run() -> None:
        dialogue = Lines()
        dialogue.greeting = b"hello\n"
        async with serving(lambda: dialogue) as (server, path), connected(path) as (reader, _):
            assert await reader.readline() == b"hello\n"
            assert server.figures.accepted == 1

    uvloop.run(run())


def test_a_socket_file_that_cannot_be_removed_stops_no_drain(caplog: pytest.LogCaptureFixture) -> None:
    """The requests that were read are more important than the file."""

    async def run() -> None:
        with short_directory() as directory:
            listener = listen(directory / "s", mode=0o600)
            os.close(listener.directory)
            no_directory = os.open(os.devnull, os.O_RDONLY)
            server = SocketServer(
                replace(listener, directory=no_directory),
                lambda _: Lines(),
                welcome=frozenset([os.geteuid()]),
            )
            await server.start()
            async with connected(listener.path) as (reader, writer):
                writer.write(b"a\n")
                assert await reader.readline() == b"a\n"
                await server.drain(1.0)
                assert await reader.read() == b""

    uvloop.run(run())
    assert "cannot remove" in caplog.text
