"""Clients that ask thousands of things at once, and the others."""

import asyncio
from collections.abc import Iterator

import uvloop

from tests.transport.lines import Lines, connected, serving, until
from tlsmgr.transport.deadline import Deadlines
from tlsmgr.transport.turns import Turns

MANY = 3000
QUESTIONS = b"".join(b"%d\n" % number for number in range(MANY))


def test_many_who_ask_at_once_share_what_one_may_ask() -> None:
    """However many they are, each gets on, and a turn of the loop stays short for who asks one thing."""
    assert Turns().requests == Turns(waiting=1).requests == Turns(waiting=2).requests
    for waiting in (3, 10, 32):
        assert waiting * Turns(waiting=waiting).requests <= 2 * Turns().requests
    assert Turns(waiting=1000).requests == 2


def _dialogues(*first: Lines) -> Iterator[Lines]:
    yield from first
    while True:
        yield Lines()


def test_a_client_that_asks_thousands_of_things_at_once_keeps_nobody_waiting() -> None:
    """Another client's answer comes between its answers, which keep their order and are all there."""

    async def run() -> None:
        flood = Lines(in_order=True)
        dialogues = _dialogues(flood)
        async with (
            serving(lambda: next(dialogues)) as (server, path),
            connected(path) as (flood_reader, flood_writer),
        ):
            await until(lambda: server.figures.open == 1)
            async with connected(path) as (reader, writer):
                await until(lambda: server.figures.open == 2)
                flood_writer.write(QUESTIONS)
                await until(lambda: flood.taken > 0)
                writer.write(b"a\n")
                assert await reader.readline() == b"a\n"
                assert flood.taken < MANY
            assert await flood_reader.readexactly(len(QUESTIONS)) == QUESTIONS
            flood_writer.write(b"next\n")
            assert await flood_reader.readline() == b"next\n"

    uvloop.run(run())


def test_a_half_closed_client_gets_thousands_of_answers() -> None:
    """The end of what it sends may arrive before most of it was answered."""

    async def run() -> None:
        async with serving(Lines) as (_, path), connected(path) as (reader, writer):
            writer.write(QUESTIONS + b"half")
            writer.write_eof()
            assert await reader.read() == QUESTIONS

    uvloop.run(run())


def test_drain_answers_all_that_waits_for_its_turn() -> None:
    """What has been read is answered, however many turns that takes; then the connection ends."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (server, path), connected(path) as (reader, writer):
            writer.write(QUESTIONS)
            await until(lambda: dialogue.taken > 0)
            assert dialogue.taken < MANY
            await server.drain(5.0)
            assert await reader.read() == QUESTIONS

    uvloop.run(run())


def test_a_client_whose_requests_wait_for_their_turn_is_not_idle() -> None:
    """It is not closed to make room for another, and gets what it asked for."""

    async def run() -> None:
        flood = Lines()
        dialogues = _dialogues(flood)
        async with (
            serving(lambda: next(dialogues), connection_limit=1) as (server, path),
            connected(path) as (flood_reader, flood_writer),
        ):
            flood_writer.write(QUESTIONS)
            await until(lambda: flood.taken > 0)
            async with connected(path) as (reader, writer):
                writer.write(b"a\n")
                assert await reader.readline() == b"a\n"
                assert flood.taken < MANY
                assert await flood_reader.readexactly(len(QUESTIONS)) == QUESTIONS
                assert server.figures.evicted == 0

    uvloop.run(run())


def test_an_end_behind_thousands_of_requests_cuts_none_of_them_off() -> None:
    """What was asked before bytes that are no request is answered, what comes behind is not."""

    async def run() -> None:
        async with serving(Lines) as (_, path), connected(path) as (reader, writer):
            writer.write(QUESTIONS + b"BAD\n" + QUESTIONS)
            assert await reader.read() == QUESTIONS

    uvloop.run(run())


def test_the_time_for_half_a_request_begins_when_those_before_it_are_answered() -> None:
    """Our turns are not the client's time, and after them it has no more than its time."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with (
            serving(Lines, deadlines=Deadlines(half_request=0.3)) as (_, path),
            connected(path) as (reader, writer),
        ):
            writer.write(QUESTIONS + b"half")
            assert await reader.readexactly(len(QUESTIONS)) == QUESTIONS
            answered_at = loop.time()
            assert await reader.read() == b""
            assert loop.time() - answered_at > 0.05

    uvloop.run(run())


def test_a_thousand_late_answers_make_room_for_as_many_requests() -> None:
    """What waited behind the most that one client may wait for is taken when answers come."""

    async def run() -> None:
        dialogue = Lines()
        async with serving(lambda: dialogue) as (_, path), connected(path) as (reader, writer):
            writer.write(b"LATER x\n" * MANY + b"last\n")
            for taken in (1024, 2048, MANY):
                await until(lambda: len(dialogue.later) == taken)  # noqa: B023 - awaited here
                for each in dialogue.later[:taken]:
                    if not each.done():
                        each.set_result(b"x")
            answers = await reader.readexactly(len(b"x\n" * MANY + b"last\n"))
            assert sorted(answers.split()) == [b"last"] + [b"x"] * MANY

    uvloop.run(run())
