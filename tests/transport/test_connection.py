import asyncio
import logging
import socket

import pytest
import uvloop

from tests.transport.lines import Lines, connected, serving, until
from tlsmgr.transport.connection import Connection, Rules
from tlsmgr.transport.deadline import Deadlines
from tlsmgr.transport.peer import peer_credentials

QUICK = Deadlines(half_request=0.05, write=0.05)


@pytest.mark.parametrize("in_order", [True, False])
def test_pipelined_requests_are_all_answered(in_order: bool) -> None:  # noqa: FBT001 - pytest's way
    """What arrives in one piece is answered request by request."""

    async def run() -> None:
        async with (
            serving(lambda: Lines(in_order=in_order)) as (_, path),
            connected(path) as (reader, writer),
        ):
            writer.write(b"a\nb\nc")
            assert await reader.readexactly(4) == b"a\nb\n"
            writer.write(b"\n")
            assert await reader.readline() == b"c\n"

    uvloop.run(run())


def test_answers_keep_their_order_where_the_protocol_wants_it() -> None:
    """A later request waits behind one that cannot be answered yet, and each gets its own."""

    async def run() -> None:
        dialogue = Lines(in_order=True)
        async with serving(lambda: dialogue) as (_, path), connected(path) as (reader, writer):
            writer.write(b"LATER 1\nsoon\nLATER 2\n")
            await until(lambda: len(dialogue.later) == 1)
            assert dialogue.taken == 1
            dialogue.later[0].set_result(b"one")
            await until(lambda: len(dialogue.later) == 2)
            dialogue.later[1].set_result(b"two")
            assert await reader.readexactly(13) == b"one\nsoon\ntwo\n"

    uvloop.run(run())


def test_answers_come_as_they_are_known_where_the_protocol_allows_it() -> None:
    """Nobody waits for another's answer when answers carry an id."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (_, path), connected(path) as (reader, writer):
            writer.write(b"LATER 1\nLATER 2\nsoon\n")
            assert await reader.readline() == b"soon\n"
            dialogue.later[1].set_result(b"two")
            assert await reader.readline() == b"two\n"
            dialogue.later[0].set_result(b"one")
            assert await reader.readline() == b"one\n"

    uvloop.run(run())


def test_a_half_closed_client_gets_its_answers() -> None:
    """The end of what a client sends does not cut off what it asked for."""

    async def run() -> None:
        dialogue = Lines(in_order=True)
        async with serving(lambda: dialogue) as (_, path), connected(path) as (reader, writer):
            writer.write(b"a\nLATER 1\nb\nhalf")
            writer.write_eof()
            await until(lambda: len(dialogue.later) == 1)
            dialogue.later[0].set_result(b"one")
            assert await reader.read() == b"a\none\nb\n"

    uvloop.run(run())


@pytest.mark.parametrize("ending", [b"BAD", b"CRASH", b"BYE"])
def test_an_end_of_one_connection_is_no_other_ones(ending: bytes) -> None:
    """What was answered before is sent, what comes behind is not served, and the others go on."""

    async def run() -> None:
        async with serving(Lines) as (_, path), connected(path) as (reader, writer):
            async with connected(path) as (bad_reader, bad_writer):
                bad_writer.write(b"before\n" + ending + b"\nbehind\n")
                assert await bad_reader.read() == b"before\n"
            writer.write(b"on\n")
            assert await reader.readline() == b"on\n"

    uvloop.run(run())


@pytest.mark.parametrize("ending", [b"BAD", b"CRASH"])
def test_answers_under_way_survive_a_bad_request(ending: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """What was asked before it is still answered; the trouble is logged once."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (_, path), connected(path) as (reader, writer):
            writer.write(b"LATER 1\nLATER 2\n" + ending + b"\nbehind\n")
            await until(lambda: dialogue.taken == 3)
            for place, result in enumerate((b"one", b"two")):
                dialogue.later[place].set_result(result)
            assert await reader.read() == b"one\ntwo\n"
            assert dialogue.taken == 3

    uvloop.run(run())
    assert len(caplog.records) == 1


@pytest.mark.parametrize("defect", ["dialogue", "encoding", "failed", "cancelled"])
def test_a_defect_leaves_no_client_waiting(defect: str, caplog: pytest.LogCaptureFixture) -> None:
    """The connection ends, the log says where and of what type, and quotes nothing."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (_, path), connected(path) as (reader, writer):
            writer.write(b"CRASH\n" if defect == "dialogue" else b"CRASH LATER\n")
            if defect != "dialogue":
                await until(lambda: len(dialogue.later) == 1)
                _spoil(dialogue.later[0], defect)
            assert await reader.read() == b""

    uvloop.run(run())
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "could not be answered" in record.getMessage()
    assert "secret" not in caplog.text


def _spoil(later: asyncio.Future[bytes], defect: str) -> None:
    match defect:
        case "encoding":
            later.set_result(b"secret")
        case "failed":
            later.set_exception(ValueError("secret"))
        case _:
            later.cancel()


def test_half_a_request_has_a_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """A client that stops in the middle of a request is dropped; one that is idle is not."""

    async def run() -> None:
        async with (
            serving(Lines, deadlines=QUICK) as (_, path),
            connected(path) as (idle_reader, idle_writer),
            connected(path) as (reader, writer),
        ):
            writer.write(b"a\nhal")
            assert await reader.readline() == b"a\n"
            assert await reader.read() == b""
            idle_writer.write(b"b\n")
            assert await idle_reader.readline() == b"b\n"

    uvloop.run(run())
    assert "half a request" in caplog.text


def test_a_busy_client_is_not_dropped_for_half_a_request() -> None:
    """Every request has its full time, although a half one is under way whenever we look."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with serving(Lines, deadlines=QUICK) as (_, path), connected(path) as (reader, writer):
            end = loop.time() + 4 * QUICK.half_request
            writer.write(b"x")
            while loop.time() < end:
                writer.write(b"\nx")
                assert await reader.readline() == b"x\n"

    uvloop.run(run())


def test_our_own_slowness_is_not_the_clients() -> None:
    """The deadline for half a request does not run while we owe an answer."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        dialogue = Lines(in_order=True)
        async with (
            serving(lambda: dialogue, deadlines=QUICK) as (_, path),
            connected(path) as (reader, writer),
        ):
            writer.write(b"LATER 1\nhalf")
            await until(lambda: len(dialogue.later) == 1)
            owed_until = loop.time() + 2 * QUICK.half_request
            await until(lambda: loop.time() > owed_until)
            dialogue.later[0].set_result(b"one")
            assert await reader.readline() == b"one\n"
            writer.write(b"\n")
            assert await reader.readline() == b"half\n"

    uvloop.run(run())


def test_nothing_is_written_once_a_connection_was_aborted() -> None:
    """Its descriptor may be another client's by then."""
    made: list[Connection] = []

    class Ending(Lines):
        def answer_whole(self, data: bytes) -> bytes:
            made[0].abort()
            return data

    rules = Rules(
        make_dialogue=lambda _: Ending(),
        deadlines=Deadlines(),
        on_close=lambda _: None,
        on_hold=lambda _, __: None,
    )
    ours, theirs = socket.socketpair()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        ours.setblocking(False)  # noqa: FBT003 - socket's own signature
        made.append(Connection(rules, peer_credentials(ours), ours))
        theirs.setblocking(False)  # noqa: FBT003 - socket's own signature
        theirs.send(b"a\n")
        async with asyncio.timeout(5.0):
            assert await loop.sock_recv(theirs, 100) == b""

    with theirs:
        uvloop.run(run())
