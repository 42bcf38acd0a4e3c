"""Sessions that two hosts share through a real Redis server."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from rehearsal.redis_server import RedisServer
from tests.service.farm_host import FarmHost
from tests.transport.lines import until
from tlsmgr.errors import Status
from tlsmgr.messages import LookupReply
from tlsmgr.service.flushing import flush_step
from tlsmgr.service.shared_link import DEADLINE_SECONDS
from tlsmgr.service.shared_sessions import SESSION_MAX, UNDER_WAY_MAX, Outcome

_MISS = LookupReply(status=Status.NOT_DONE)
_PROMISED_SECONDS = 0.02
_TICK_SECONDS = 0.002

Work = Callable[[FarmHost, FarmHost], Awaitable[None]]


def _with_two_hosts(directory: Path, server: RedisServer, work: Work, *, deadline: float = 5.0) -> None:
    async def run() -> None:
        hosts = [FarmHost(directory / name, server.url, deadline=deadline) for name in ("a", "b")]
        async with hosts[0] as one, hosts[1] as other:
            await work(one, other)

    uvloop.run(run())


def _key(host: FarmHost, cache_id: bytes) -> bytes:
    return host.entries.name(cache_id)


def test_what_one_host_saved_another_one_finds(tmp_path: Path, redis_server: RedisServer) -> None:
    """With one round trip; the next time it is found at home, with none."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        reads = redis_server.calls("getrange")
        trips = other.link.round_trips
        for _ in range(3):
            assert await other.find(b"id") == b"SESSION"
        assert redis_server.calls("getrange") - reads == 1
        assert other.link.round_trips - trips == 1
        assert other.came_to(Outcome.HIT) == 1
        assert other.cache.figures.hits == 2

    _with_two_hosts(tmp_path, redis_server, work)


def test_what_is_found_elsewhere_does_not_live_longer(tmp_path: Path, redis_server: RedisServer) -> None:
    """It has its times with it, whenever it is found, and is not written back."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        other.now += 3599
        assert await other.find(b"id") == b"SESSION"
        assert await other.find(b"id") == b"SESSION"
        other.now += 2
        assert await other.find(b"id") is None
        assert other.came_to(Outcome.OVER) == 1
        assert other.writes.sent == 0

    _with_two_hosts(tmp_path, redis_server, work)


def test_an_expired_session_is_not_found(tmp_path: Path, redis_server: RedisServer) -> None:
    """Also where the store still has it, since its clock differs from ours."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        other.now += 3600
        assert await other.find(b"id") is None
        assert len(redis_server.keys()) == 1

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_session_lives_in_the_store_for_what_is_left_of_its_life(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """The store forgets it by itself."""

    async def work(one: FarmHost, _: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        left = int(redis_server.ask("PTTL", _key(one, b"id"))[1:])
        assert 3590_000 < left <= 3600_000

    _with_two_hosts(tmp_path, redis_server, work)


def test_what_one_host_deleted_no_host_finds_in_the_store(tmp_path: Path, redis_server: RedisServer) -> None:
    """As soon as the store has heard of it."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        await one.delete(b"id")
        await one.sent()
        assert await other.find(b"id") is None
        assert other.came_to(Outcome.ABSENT) == 1
        assert redis_server.keys() == []

    _with_two_hosts(tmp_path, redis_server, work)


def test_who_reads_the_store_learns_nothing(tmp_path: Path, redis_server: RedisServer) -> None:
    """Names and values look like random bytes, and a session has another value each time."""

    async def work(one: FarmHost, _: FarmHost) -> None:
        await one.share(b"smtp&mx.example.com&", b"VERYSECRETSESSION")
        first = redis_server.value(redis_server.keys()[0])
        await one.share(b"smtp&mx.example.com&", b"VERYSECRETSESSION")
        (key,) = redis_server.keys()
        second = redis_server.value(key)
        assert first != second
        assert key.startswith(b"tlsmgr:")
        assert b"example" not in key
        assert not any(word in value for word in (b"SECRET", b"example") for value in (first, second))

    _with_two_hosts(tmp_path, redis_server, work)


def _swap(server: RedisServer, one: bytes, other: bytes) -> None:
    values = server.value(one), server.value(other)
    server.ask("SET", one, values[1])
    server.ask("SET", other, values[0])


def _truncate(server: RedisServer, one: bytes, _: bytes) -> None:
    server.ask("SET", one, server.value(one)[:-1])


def _cut_to_nearly_nothing(server: RedisServer, one: bytes, _: bytes) -> None:
    server.ask("SET", one, b"\x01")


def _flip_a_bit(server: RedisServer, one: bytes, _: bytes) -> None:
    value = bytearray(server.value(one))
    value[len(value) // 2] ^= 1
    server.ask("SET", one, bytes(value))


def _make_it_huge(server: RedisServer, one: bytes, _: bytes) -> None:
    server.ask("SETRANGE", one, str(100 << 20), "x")


def _put_other_keys_value(server: RedisServer, one: bytes, _: bytes) -> None:
    value = bytearray(server.value(one))
    value[1:9] = b"otherkey"
    server.ask("SET", one, bytes(value))


@pytest.mark.parametrize(
    "harm",
    [_swap, _truncate, _cut_to_nearly_nothing, _flip_a_bit, _make_it_huge, _put_other_keys_value],
    ids=lambda harm: harm.__name__.strip("_"),
)
def test_what_no_host_put_there_is_a_miss_and_an_alarm(
    tmp_path: Path,
    redis_server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[RedisServer, bytes, bytes], None],
) -> None:
    """Swapped, cut, changed or made up: it is counted, told once, and found no more than nothing."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        await one.share(b"other id", b"OTHER")
        harm(redis_server, _key(one, b"id"), _key(one, b"other id"))
        for _ in range(3):
            assert await other.find(b"id") is None
        assert other.shared.tampered == other.came_to(Outcome.TAMPERED) == 3

    _with_two_hosts(tmp_path, redis_server, work)
    (told,) = [each for record in caplog.records if "not what a host" in (each := record.getMessage())]
    assert told.endswith("taken as not there; 1 so far; see who else can write to the store")


def test_another_programs_data_is_a_miss(tmp_path: Path, redis_server: RedisServer) -> None:
    """A list stands where a session should."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        redis_server.ask("RPUSH", _key(one, b"id"), "element")
        assert await other.find(b"id") is None
        assert other.came_to(Outcome.FAILED) == 1
        assert other.link.lets_pass

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_host_with_another_secret_shares_nothing(tmp_path: Path, redis_server: RedisServer) -> None:
    """Its names differ, so that it is no alarm either."""

    async def run() -> None:
        url = redis_server.url
        async with (
            FarmHost(tmp_path / "a", url) as one,
            FarmHost(tmp_path / "b", url, secret=bytes(32)) as other,
        ):
            await one.share(b"id", b"SESSION")
            assert await other.find(b"id") is None
            assert other.came_to(Outcome.ABSENT) == 1

    uvloop.run(run())


def test_a_session_that_is_too_large_stays_at_home(tmp_path: Path, redis_server: RedisServer) -> None:
    """And one of the same id that was shared before is not found in its place."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", bytes(SESSION_MAX))
        assert await other.find(b"id") == bytes(SESSION_MAX)
        await one.share(b"id", bytes(SESSION_MAX + 1))
        assert redis_server.keys() == []
        assert one.shared.too_large == 1
        assert await one.find(b"id") == bytes(SESSION_MAX + 1)

    _with_two_hosts(tmp_path, redis_server, work)


@asynccontextmanager
async def _promise() -> AsyncIterator[list[float]]:
    """Yield a list for durations, none of which may be longer than promised.

    A machine that runs other tests besides is late now and then, for everybody: by how much, the
    same event loop tells.
    """
    durations: list[float] = []
    lateness = 0.0

    async def watch() -> None:
        nonlocal lateness
        while True:
            due = time.perf_counter() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            lateness = max(lateness, time.perf_counter() - due)

    watching = asyncio.ensure_future(watch())
    yield durations
    watching.cancel()
    assert max(durations) < _PROMISED_SECONDS + lateness + _TICK_SECONDS


async def _timed(host: FarmHost, cache_id: bytes) -> float:
    begun = time.perf_counter()
    assert await host.find(cache_id) is None
    return time.perf_counter() - begun


def test_no_lookup_waits_for_a_store_that_is_stopped(tmp_path: Path, redis_server: RedisServer) -> None:
    """Some wait for their deadline; then the store is left alone, and nobody waits. It heals by itself."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        with redis_server.stopped():
            async with _promise() as durations:
                durations.extend([await _timed(other, b"%d" % number) for number in range(50)])
            assert other.came_to(Outcome.LATE) in {5, 6}
            assert other.came_to(Outcome.LATE) + other.came_to(Outcome.SKIPPED) == 50
            assert not other.link.lets_pass
        await until(lambda: other.link.lets_pass)
        assert await other.find(b"id") == b"SESSION"

    _with_two_hosts(tmp_path, redis_server, work, deadline=DEADLINE_SECONDS)


def test_of_many_lookups_at_once_only_some_ask_and_none_waits_longer(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """The store has so many questions at most, whatever clients do."""

    async def work(_: FarmHost, other: FarmHost) -> None:
        with redis_server.stopped():
            async with _promise() as durations:
                asked = (_timed(other, b"%d" % number) for number in range(200))
                durations.extend(await asyncio.gather(*asked))
            assert other.came_to(Outcome.LATE) == UNDER_WAY_MAX
            assert other.came_to(Outcome.SKIPPED) == 200 - UNDER_WAY_MAX

    _with_two_hosts(tmp_path, redis_server, work, deadline=DEADLINE_SECONDS)


def test_who_asks_for_the_same_asks_once(tmp_path: Path, redis_server: RedisServer) -> None:
    """All of them get the one answer."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        reads = redis_server.calls("getrange")
        assert await asyncio.gather(*(other.find(b"id") for _ in range(50))) == [b"SESSION"] * 50
        assert redis_server.calls("getrange") - reads == 1
        assert other.came_to(Outcome.HIT) == 50

    _with_two_hosts(tmp_path, redis_server, work)


def test_an_answer_that_comes_late_is_for_the_next_time(tmp_path: Path, redis_server: RedisServer) -> None:
    """Who asked has gone on with a full handshake; who asks then does not."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        with redis_server.stopped():
            assert await other.find(b"id") is None
        await until(lambda: other.cache.contents()["entries"] == 1)
        assert await other.find(b"id") == b"SESSION"
        assert other.came_to(Outcome.LATE) == 1

    _with_two_hosts(tmp_path, redis_server, work, deadline=DEADLINE_SECONDS)


def test_what_changes_here_meanwhile_is_not_overwritten_by_an_answer(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Neither a deletion nor a later session."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        with redis_server.stopped():
            asked = other.ask(b"id")
            assert isinstance(asked, asyncio.Future)
            await other.delete(b"id")
            # Until the store has heard of it, it is not asked.
            assert other.ask(b"id") != asked
        assert (await asked).status is Status.NOT_DONE
        await other.sent()
        assert await other.find(b"id") is None
        assert redis_server.keys() == []

    _with_two_hosts(tmp_path, redis_server, work)


def test_what_waits_for_the_store_is_not_looked_up_there(tmp_path: Path, redis_server: RedisServer) -> None:
    """It would be what was there before."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        with redis_server.stopped():
            await other.delete(b"id")
            assert other.ask(b"id") == _MISS
            assert other.came_to(Outcome.SKIPPED) == 1

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_store_that_dies_and_comes_back_gets_what_waited(tmp_path: Path, redis_server: RedisServer) -> None:
    """Saved meanwhile, found at home, and shared as soon as it can be; nothing is said twice."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        redis_server.kill()
        for number in range(20):
            await one.save(b"%d" % number, b"SESSION")
        await until(lambda: not one.link.lets_pass)
        assert await one.find(b"7") == b"SESSION"
        redis_server.start()
        await until(lambda: one.link.lets_pass)
        await one.sent()
        assert len(redis_server.keys()) == 20
        assert await other.find(b"8") in {None, b"SESSION"}  # it has to notice first
        await until(lambda: other.link.lets_pass)
        assert await other.find(b"9") == b"SESSION"

    _with_two_hosts(tmp_path, redis_server, work)


def test_a_full_store_keeps_what_it_has(tmp_path: Path) -> None:
    """What it refuses is counted; lookups go on."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        server.ask("CONFIG", "SET", "maxmemory", "1kb")
        await one.share(b"more", b"SESSION")
        assert one.writes.refused == 1
        assert one.link.lets_pass
        assert await other.find(b"id") == b"SESSION"

    with RedisServer(tmp_path / "redis") as server:
        _with_two_hosts(tmp_path, server, work)


def test_a_store_that_comes_and_goes_is_told_of_once_a_minute(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Once that it does not answer, and once that it does again."""

    async def work(one: FarmHost, _: FarmHost) -> None:
        for _time in range(3):
            with redis_server.stopped():
                for number in range(10):
                    await one.find(b"%d" % number)
                assert not one.link.lets_pass
            await until(lambda: one.link.lets_pass)
            await one.find(b"id")

    with caplog.at_level(logging.INFO):
        _with_two_hosts(tmp_path, redis_server, work, deadline=DEADLINE_SECONDS)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) <= 4, told
    assert sum("is slow" in each for each in told) == 1
    assert sum("works again" in each for each in told) == 1


def test_a_flush_removes_sessions_from_the_store_too(tmp_path: Path, redis_server: RedisServer) -> None:
    """Those that this host knows of."""

    async def work(one: FarmHost, other: FarmHost) -> None:
        await one.share(b"id", b"SESSION")
        assert flush_step(one.cache, 0, "", dry_run=False).chosen == 1
        await one.sent()
        assert await one.find(b"id") is None
        assert await other.find(b"id") is None

    _with_two_hosts(tmp_path, redis_server, work)
