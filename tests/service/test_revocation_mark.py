"""Revoking what hosts share: on one of them, for all of them."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from rehearsal.redis_server import RedisServer
from tests.service.farm_host import FARM_SECRET, FarmHost
from tests.transport.lines import until
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.shared_sessions import Outcome


def _with_two_hosts(
    directory: Path, server: RedisServer, work: Callable[[FarmHost, FarmHost], Awaitable[None]]
) -> None:
    async def run() -> None:
        hosts = FarmHost(directory / "a", server.url), FarmHost(directory / "b", server.url)
        async with hosts[0] as one, hosts[1] as other:
            await work(one, other)

    uvloop.run(run())


def test_one_host_revokes_for_all(tmp_path: Path, redis_server: RedisServer) -> None:
    """Itself at once, the others when they look; what is saved afterwards is found."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"old", b"SESSION")
        assert await other.mark.move(other.now) == ""
        assert await other.find(b"old") is None
        assert other.came_to(Outcome.ABSENT) == 1
        await one.mark.refresh()
        await one.share(b"new", b"SESSION")
        assert await other.find(b"new") == b"SESSION"

    _with_two_hosts(tmp_path, redis_server, work)


def test_what_a_host_saves_that_has_not_heard_of_it_is_revoked_too(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Whatever the clocks say."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        other.now -= 500
        await other.mark.move(other.now)
        one.now += 500
        await one.share(b"id", b"SESSION")
        assert await other.find(b"id") is None

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_second_revocation_counts_whatever_the_clock_says(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """The first one was made by a host whose clock was ahead."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.mark.move(one.now + 1000)
        await other.mark.refresh()
        await one.share(b"id", b"SESSION")
        await other.mark.move(other.now)
        assert await other.find(b"id") is None

    _with_two_hosts(tmp_path, redis_server, work)


def test_what_was_revoked_stays_so_whoever_puts_it_back(tmp_path: Path, redis_server: RedisServer) -> None:
    """Under the name that a session of the present generation has: it does not open."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        old = redis_server.value(one.entries.name(b"id"))
        await other.mark.move(other.now)
        redis_server.ask("SET", other.entries.name(b"id"), old)
        assert await other.find(b"id") is None
        assert other.came_to(Outcome.TAMPERED) == 1

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_host_that_starts_knows_what_was_revoked(tmp_path: Path, redis_server: RedisServer) -> None:
    """Before it has read the mark it asks for nothing."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as one:
            await one.share(b"old", b"SESSION")
            await one.mark.move(one.now)
            async with FarmHost(tmp_path / "b", redis_server.url) as other:
                assert await other.find(b"old") is None
                assert other.came_to(Outcome.ABSENT) == 1
            third = FarmHost(tmp_path / "c", redis_server.url)
            third.link.start()
            await until(lambda: third.link.lets_pass)
            assert await third.find(b"old") is None
            assert third.came_to(Outcome.SKIPPED) == 1
            third.mark.start()
            async with third:
                assert await third.find(b"old") is None

    uvloop.run(run())


def test_a_store_without_the_mark_gets_it_again(tmp_path: Path, redis_server: RedisServer) -> None:
    """It was restarted empty, or somebody brought an old mark back: what is revoked stays so."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.mark.move(500.0)
        (key,) = redis_server.keys()
        old = redis_server.value(key)
        await one.mark.move(1000.0)
        new = redis_server.value(key)
        await other.mark.refresh()
        redis_server.ask("SET", key, old)
        await other.mark.refresh()
        assert other.mark.generation == 1_000_000
        assert redis_server.value(key) not in {old, new}
        redis_server.ask("FLUSHALL")
        await one.mark.refresh()
        assert redis_server.keys() == [key]

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_mark_that_no_host_made_is_an_alarm(tmp_path: Path, redis_server: RedisServer) -> None:
    """It revokes nothing, and lifts nothing."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        name = SharedSealer(FARM_SECRET, os.urandom).name(b"shared revocation")
        await one.share(b"id", b"SESSION")
        redis_server.ask("SET", name, redis_server.value(redis_server.keys()[0]))
        await other.mark.refresh()
        assert other.mark.forged == 1
        assert await other.find(b"id") == b"SESSION"

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_mark_that_the_store_does_not_take_is_told_and_brought_later(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """This host obeys it meanwhile."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        redis_server.kill()
        assert "cannot be reached" in await other.mark.move(other.now)
        assert other.mark.generation == 1_000_000
        redis_server.start()
        await other.mark.refresh()
        assert len(redis_server.keys()) == 1

    _with_two_hosts(tmp_path, redis_server, work)
