"""What each trouble of a real server looks like: its cause, and a message that says what to do."""

import asyncio
import time
from pathlib import Path

import pytest

from rehearsal.loopback import free_port
from rehearsal.redis_server import RedisServer
from rehearsal.waiting import wait_for
from tests.shared_store.loops import failure, with_store
from tlsmgr.errors import ConfigurationError
from tlsmgr.shared_store.address import parse_address
from tlsmgr.shared_store.failures import Cause
from tlsmgr.shared_store.opening import open_shared_store
from tlsmgr.shared_store.redis_clients import SOCKET_TIMEOUT
from tlsmgr.shared_store.redis_errors import as_shared_store_error
from tlsmgr.shared_store.store import SharedPut, SharedStore

_MINUTE = 60_000


@pytest.mark.parametrize(
    "credentials", [None, b"hunter2", b"nobody:hunter2"], ids=["none", "wrong", "of nobody"]
)
def test_a_wrong_password(tmp_path: Path, credentials: bytes | None) -> None:
    """None, a wrong one, and a user that there is not."""

    async def test(store: SharedStore) -> None:
        message = await failure(store.get(b"key"), Cause.LOGIN)
        assert "tlsmgr_redis_credentials_file" in message
        assert "hunter2" not in message

    with RedisServer(tmp_path / "redis", ["requirepass right"]) as server:
        with_store(server.url, test, credentials)


@pytest.mark.parametrize("credentials", [b"hunter2", b"nobody:hunter2"], ids=["password", "user"])
def test_a_server_that_quotes_what_it_was_sent(tmp_path: Path, credentials: bytes) -> None:
    """Of a command that it does not know it repeats the words; ours say what it was about, and no more."""

    async def test(store: SharedStore) -> None:
        message = await failure(store.ping(), Cause.OTHER)
        assert "unknown command" in message
        assert "hunter2" not in message

    with RedisServer(tmp_path / "redis", ['rename-command AUTH ""']) as server:
        with_store(server.url, test, credentials)


def test_what_a_server_of_another_kind_answers() -> None:
    """It makes redis-py raise whatever comes of it; none of the answer is in the message."""
    error = as_shared_store_error(ValueError("invalid literal for int() with base 10: b'hunter2'"), "URL")
    assert error.cause is Cause.OTHER
    assert str(error) == "shared store URL failed: ValueError"


def test_a_password_for_a_server_that_has_none(redis_server: RedisServer) -> None:
    """It is refused by the server, and said to be about the password."""

    async def test(store: SharedStore) -> None:
        await failure(store.ping(), Cause.LOGIN)

    with_store(redis_server.url, test, b"secret")


def test_the_right_password(tmp_path: Path) -> None:
    """Of the default user, and of one with the least rights that we need."""

    async def test(store: SharedStore) -> None:
        await store.ping()
        await store.put(b"tlsmgr:key", b"value", _MINUTE)
        assert await store.get(b"tlsmgr:key") == b"value"
        await store.delete(b"tlsmgr:key")

    options = ["requirepass right", "user mail on >secret ~tlsmgr:* +getrange +set +del +ping"]
    with RedisServer(tmp_path / "redis", options) as server:
        with_store(server.url, test, b"right")
        with_store(server.url, test, b"mail:secret")


def test_a_user_without_the_rights(tmp_path: Path) -> None:
    """A command that is not allowed, and a key that is not; in a group of changes, too."""

    async def test(store: SharedStore) -> None:
        assert "+getrange +set +del" in await failure(store.delete(b"tlsmgr:key"), Cause.RIGHTS)
        await failure(store.get(b"other"), Cause.RIGHTS)
        (outcome,) = await store.apply([SharedPut(key=b"other", value=b"", milliseconds=_MINUTE)])
        assert outcome is not None
        assert outcome.cause is Cause.RIGHTS

    with RedisServer(tmp_path / "redis", ["user mail on >secret ~tlsmgr:* +getrange +set +ping"]) as server:
        with_store(server.url, test, b"mail:secret")


def test_another_programs_data(redis_server: RedisServer) -> None:
    """A list stands where our value should."""
    redis_server.ask("RPUSH", "key", "element")

    async def test(store: SharedStore) -> None:
        assert "database of our own" in await failure(store.get(b"key"), Cause.WRONG_TYPE)

    with_store(redis_server.url, test)


def test_a_database_that_there_is_not(redis_server: RedisServer) -> None:
    """A server has sixteen, unless it is told otherwise."""

    async def test(store: SharedStore) -> None:
        await failure(store.get(b"key"), Cause.DATABASE)

    with_store(f"{redis_server.url}?db=99", test)


def test_a_replica(tmp_path: Path) -> None:
    """It is read from, but takes no change."""

    async def test(store: SharedStore) -> None:
        assert "redis+sentinel://" in await failure(store.put(b"key", b"", _MINUTE), Cause.READ_ONLY)
        assert await store.get(b"key") is None

    with RedisServer(tmp_path / "replica", [f"replicaof 127.0.0.1 {free_port()}"]) as replica:
        with_store(replica.url, test)


def test_a_full_memory(tmp_path: Path) -> None:
    """What is there can be read; nothing comes in, and it is said how to help."""

    async def test(store: SharedStore) -> None:
        await store.put(b"key", b"value", _MINUTE)
        message = ""
        for number in range(1000):
            (outcome,) = await store.apply(
                [SharedPut(key=b"%d" % number, value=bytes(10_000), milliseconds=_MINUTE)]
            )
            if outcome is not None:
                assert outcome.cause is Cause.FULL
                message = str(outcome)
                break
        assert "maxmemory" in message
        assert await store.get(b"key") == b"value"

    with RedisServer(tmp_path / "redis", ["maxmemory 3mb", "maxmemory-policy noeviction"]) as server:
        with_store(server.url, test)


def test_a_server_that_loads_its_data(tmp_path: Path) -> None:
    """After a restart it answers, but with nothing of use yet."""

    async def test(store: SharedStore) -> None:
        await failure(store.get(b"key"), Cause.LOADING)

    with RedisServer(tmp_path / "redis", ["enable-debug-command yes"]) as server:
        server.ask("DEBUG", "POPULATE", "2000", "key", "10")
        server.ask("SAVE")
        server.kill()
        slow = tmp_path / "redis" / "redis.conf"
        slow.write_text(
            slow.read_text() + "key-load-delay 2000\nloading-process-events-interval-bytes 1024\n"
        )
        server.start(wait=False)
        wait_for("the server loads", lambda: _is_loading(server))
        with_store(server.url, test)


def _is_loading(redis_server: RedisServer) -> bool:
    try:
        return b"LOADING" in redis_server.ask("GET", "key")
    except OSError:
        return False


def test_a_server_that_is_stopped(redis_server: RedisServer) -> None:
    """A command ends with its own timeout; the next one on a new connection, when it goes on, works."""

    async def test(store: SharedStore) -> None:
        await store.ping()
        begun = time.monotonic()
        with redis_server.stopped():
            await failure(store.get(b"key"), Cause.SLOW)
            assert time.monotonic() - begun < SOCKET_TIMEOUT + 0.5
        assert await store.get(b"key") is None

    with_store(redis_server.url, test)


def test_a_server_that_is_killed_and_restarted(tmp_path: Path) -> None:
    """What is under way fails; the next command connects again."""

    async def test(store: SharedStore) -> None:
        await store.ping()
        with server.stopped():
            asked = asyncio.ensure_future(store.get(b"key"))
            await asyncio.sleep(0)
            server.kill()
            await failure(asked, Cause.UNREACHABLE)
        await failure(store.get(b"key"), Cause.UNREACHABLE)
        server.start()
        assert await store.get(b"key") is None

    with RedisServer(tmp_path / "redis") as server:
        with_store(server.url, test)


def test_nobody_there(tmp_path: Path) -> None:
    """Neither a socket nor a port."""

    async def test(store: SharedStore) -> None:
        await failure(store.ping(), Cause.UNREACHABLE)

    with_store(f"unix://{tmp_path / 'nothing.sock'}", test)
    with_store(f"redis://127.0.0.1:{free_port()}", test)


def test_a_client_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    for name in ("tlsmgr.shared_store.redis_store", "redis"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ConfigurationError, match=r"scripts/venv redis"):
        open_shared_store(parse_address("redis://store.example"), None)
