import asyncio

from rehearsal.redis_server import RedisServer
from tests.shared_store.loops import with_store
from tlsmgr.shared_store.store import VALUE_MAX, SharedPut, SharedRemove, SharedStore

_MINUTE = 60_000


def test_a_value_is_found_until_it_is_removed(redis_server: RedisServer) -> None:
    """Any bytes are keys and values."""
    value = bytes(range(256))

    async def test(store: SharedStore) -> None:
        await store.ping()
        assert await store.get(b"\0key") is None
        await store.put(b"\0key", value, _MINUTE)
        assert await store.get(b"\0key") == value
        await store.delete(b"\0key")
        assert await store.get(b"\0key") is None

    with_store(redis_server.url, test)


def test_a_large_value_is_read_in_part(redis_server: RedisServer) -> None:
    """Somebody else put it there: our own are smaller."""
    redis_server.ask("SETRANGE", "key", str(100 << 20), "x")

    async def test(store: SharedStore) -> None:
        assert await store.get(b"key") == bytes(VALUE_MAX)

    with_store(redis_server.url, test)


def test_a_value_has_its_time_to_live(redis_server: RedisServer) -> None:
    """The store forgets it by itself."""

    async def test(store: SharedStore) -> None:
        await store.put(b"key", b"value", _MINUTE)
        assert await store.put_if_absent(b"other", b"value", _MINUTE) == b"value"

    with_store(redis_server.url, test)
    for key in ("key", "other"):
        assert 50_000 < int(redis_server.ask("PTTL", key)[1:]) <= _MINUTE


def test_of_several_who_put_first_one_wins_for_all(redis_server: RedisServer) -> None:
    """Whoever comes second gets what is there, and overwrites nothing."""

    async def test(store: SharedStore) -> None:
        values = [b"value %d" % number for number in range(20)]
        winners = await asyncio.gather(*(store.put_if_absent(b"key", value, _MINUTE) for value in values))
        assert len(set(winners)) == 1
        assert winners[0] in values
        assert await store.get(b"key") == winners[0]

    with_store(redis_server.url, test)


def test_an_empty_value_is_in_the_way_of_another_one(redis_server: RedisServer) -> None:
    """Whoever would put one there if there is none is told what is there, and not that it was put."""
    redis_server.ask("SET", "key", "")

    async def test(store: SharedStore) -> None:
        assert await store.get(b"key") is None
        assert await store.put_if_absent(b"key", b"value", _MINUTE) == b""

    with_store(redis_server.url, test)
    assert redis_server.value(b"key") == b""


def test_changes_are_made_in_their_order_in_one_round_trip(redis_server: RedisServer) -> None:
    """Of one key, the last change counts."""

    async def test(store: SharedStore) -> None:
        outcomes = await store.apply(
            [
                SharedPut(key=b"a", value=b"1", milliseconds=_MINUTE),
                SharedPut(key=b"a", value=b"2", milliseconds=_MINUTE),
                SharedPut(key=b"b", value=b"3", milliseconds=_MINUTE),
                SharedRemove(key=b"b"),
            ]
        )
        assert outcomes == [None] * 4

    with_store(redis_server.url, test)
    assert redis_server.keys() == [b"a"]
    assert redis_server.value(b"a") == b"2"


def test_a_hit_is_one_command(redis_server: RedisServer) -> None:
    """Nothing but GETRANGE is sent, as the server counts: no login, no health check, no library's name."""

    async def test(store: SharedStore) -> None:
        await store.put(b"key", b"value", _MINUTE)
        before = redis_server.ask("INFO", "stats")
        for _ in range(10):
            assert await store.get(b"key") == b"value"
        counted = _commands(redis_server.ask("INFO", "stats")) - _commands(before)
        assert counted == 10 + 1  # and our own INFO

    with_store(redis_server.url, test)
    assert redis_server.calls("getrange") == 10
    assert redis_server.calls("client|setinfo") == redis_server.calls("hello") == 0


def _commands(stats: bytes) -> int:
    for line in stats.decode().splitlines():
        if line.startswith("total_commands_processed:"):
            return int(line.partition(":")[2])
    raise AssertionError(stats)
