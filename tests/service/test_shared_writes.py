"""What waits for a store that does not take it now."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from rehearsal.redis_server import RedisServer
from tests.service.farm_host import FarmHost
from tests.transport.lines import until
from tlsmgr.service.shared_writes import BYTES_MAX, ENTRIES_MAX, WaitingChange
from tlsmgr.shared_store.store import SharedChange, SharedPut

_BATCH = 16
_IDS = (b"under way", b"waiting", b"new")


def _put(number: int, size: int = 10) -> WaitingChange:
    def make() -> SharedChange | None:
        return SharedPut(key=b"%d" % number, value=bytes(size), milliseconds=60_000)

    return WaitingChange(size=size, make=make)


async def _break(host: FarmHost, server: RedisServer) -> None:
    server.kill()
    host.writes.submit(b"first", _put(-1))
    await until(lambda: not host.link.lets_pass)


def test_so_many_wait_at_most_and_the_oldest_go(tmp_path: Path, redis_server: RedisServer) -> None:
    """By their number."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            await _break(host, redis_server)
            for number in range(ENTRIES_MAX + 100):
                host.writes.submit(b"%d" % number, _put(number))
            assert ENTRIES_MAX <= len(host.writes) <= ENTRIES_MAX + _BATCH
            assert host.writes.dropped in {100, 101}
            assert b"0" not in host.writes
            assert b"%d" % ENTRIES_MAX in host.writes

    uvloop.run(run())


def test_so_many_bytes_wait_at_most(tmp_path: Path, redis_server: RedisServer) -> None:
    """By their size."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            await _break(host, redis_server)
            for number in range(2 * BYTES_MAX // 30_000):
                host.writes.submit(b"%d" % number, _put(number, 30_000))
            waiting = host.writes.as_map()["waiting_bytes"]
            assert isinstance(waiting, int)
            assert BYTES_MAX - 30_000 <= waiting <= BYTES_MAX

    uvloop.run(run())


def test_of_one_place_the_last_change_is_made(tmp_path: Path, redis_server: RedisServer) -> None:
    """Also when an earlier one was under way while the store died."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            with redis_server.stopped():
                await host.save(b"id", b"FIRST")
                await until(lambda: host.writes.as_map()["waiting_bytes"] == 0)
                await host.save(b"id", b"SECOND")
                await host.save(b"id", b"THIRD")
                redis_server.kill()
            redis_server.start()
            await host.sent()
            key = host.entries.name(b"id")
            assert host.entries.opened(b"id", redis_server.value(key)).session == b"THIRD"

    uvloop.run(run())


@pytest.mark.parametrize("revoked_by", ["this host", "another one"])
def test_what_was_under_way_when_it_was_revoked_is_not_tried_again(
    tmp_path: Path, redis_server: RedisServer, revoked_by: str
) -> None:
    """Sealed once more it would be found by the whole farm; and so would what waits."""

    async def run() -> None:
        urls = redis_server.url
        async with FarmHost(tmp_path / "a", urls) as host, FarmHost(tmp_path / "b", urls) as other:
            with redis_server.stopped():
                await host.save(b"under way", b"SESSION")
                await until(lambda: host.writes.as_map()["waiting_bytes"] == 0)
                await host.save(b"waiting", b"SESSION")
                redis_server.kill()
            telling = asyncio.ensure_future((host if revoked_by == "this host" else other).mark.move(1000.0))
            if revoked_by == "another one":
                host.mark.at_least(other.mark.generation)
            redis_server.start()
            await telling
            await host.save(b"new", b"SESSION")
            await host.sent()
            found = [redis_server.ask("EXISTS", host.entries.name(each)) for each in _IDS]
            assert found == [b":0\r\n", b":0\r\n", b":1\r\n"]

    uvloop.run(run())


def test_what_expired_while_it_waited_is_not_sent(tmp_path: Path, redis_server: RedisServer) -> None:
    """Nobody could use it."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            await _break(host, redis_server)
            await host.save(b"id", b"SESSION")
            host.now += 3601
            redis_server.start()
            await host.sent()
            assert redis_server.ask("EXISTS", host.entries.name(b"id")) == b":0\r\n"

    uvloop.run(run())


def test_many_changes_are_few_round_trips(tmp_path: Path, redis_server: RedisServer) -> None:
    """They go in groups."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            trips = host.link.round_trips
            for number in range(10 * _BATCH):
                host.writes.submit(b"%d" % number, _put(number))
            await host.sent()
            assert host.link.round_trips - trips == 10
            assert len(redis_server.keys()) == 10 * _BATCH

    uvloop.run(run())
