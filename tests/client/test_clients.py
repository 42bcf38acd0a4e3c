import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from tests.client.servers import raw_server, rpc_dialogue, rpc_server
from tests.transport.lines import serving, short_directory
from tlsmgr.client import (
    AsyncClient,
    CacheType,
    CachingPolicy,
    Client,
    ProtocolError,
    RequestRefusedError,
    ServerUnavailableError,
)
from tlsmgr.errors import Status
from tlsmgr.wire import rpc

SMTPD, LMTP = CacheType.SMTPD, CacheType.LMTP


def with_server(work: Callable[[Path], Awaitable[None]]) -> None:
    """Run ``work`` beside a server."""

    async def run() -> None:
        async with serving(rpc_dialogue) as (_, path):
            await work(path)

    uvloop.run(run())


def _use_blocking(path: Path) -> None:
    with Client(path) as client:
        assert client.seed(7) == b"\x07" * 7
        assert client.policy(SMTPD) == CachingPolicy(cachable=True, timeout=3600)
        assert client.lookup(SMTPD, b"id") is None
        assert client.update(SMTPD, b"id", b"session")
        assert client.lookup(SMTPD, b"id") == b"session"
        assert client.delete(SMTPD, b"id")
        assert not client.delete(SMTPD, b"id")
        assert client.ticket_key() == bytes(88)
        assert client.ticket_key(b"n" * 16) is None
        assert client.call("ping", 1) == {"params": (1,)}
        with pytest.raises(RequestRefusedError):
            client.lookup(LMTP, b"id")
        with pytest.raises(ProtocolError, match="size"):
            client.seed(0)
        assert client.seed(1) == b"\x01"


def test_the_blocking_client_makes_every_call() -> None:
    """A refused or malformed request does not harm the connection."""
    with_server(lambda path: asyncio.to_thread(_use_blocking, path))


async def _use_async(path: Path) -> None:
    async with AsyncClient(path) as client:
        assert await client.seed(7) == b"\x07" * 7
        assert await client.policy(SMTPD) == CachingPolicy(cachable=True, timeout=3600)
        assert await client.lookup(SMTPD, b"id") is None
        assert await client.update(SMTPD, b"id", b"session")
        assert await client.lookup(SMTPD, b"id") == b"session"
        assert await client.delete(SMTPD, b"id")
        assert not await client.delete(SMTPD, b"id")
        assert await client.ticket_key() == bytes(88)
        assert await client.ticket_key(b"n" * 16) is None
        assert await client.call("ping", 1) == {"params": (1,)}
        with pytest.raises(RequestRefusedError):
            await client.lookup(LMTP, b"id")
        with pytest.raises(ProtocolError, match="size"):
            await client.seed(0)
        assert await client.seed(1) == b"\x01"


def test_the_asyncio_client_makes_every_call() -> None:
    """A refused or malformed request does not harm the connection."""
    with_server(_use_async)


def test_concurrent_calls_get_each_their_own_answer() -> None:
    """Also beside one that is never answered, over one connection."""

    async def work(path: Path) -> None:
        async with AsyncClient(path, timeout=1.0) as client:
            stuck = asyncio.ensure_future(client.seed(255))
            seeds = await asyncio.gather(*(client.seed(size) for size in range(1, 200)))
            assert seeds == [bytes([size]) * size for size in range(1, 200)]
            client.close()
            with pytest.raises(ServerUnavailableError):
                await stuck

    with_server(work)


def test_a_call_that_is_not_answered_ends_in_time() -> None:
    """Both clients say so, and can be used afterwards."""

    async def work(path: Path) -> None:
        async with AsyncClient(path, timeout=0.05) as client:
            with pytest.raises(ServerUnavailableError, match=r"no answer within 0\.05 s"):
                await client.seed(255)
            assert await client.seed(2) == b"\x02\x02"
        await asyncio.to_thread(_time_out, path)

    with_server(work)


def _time_out(path: Path) -> None:
    with Client(path, timeout=0.05) as client:
        for _ in range(2):
            with pytest.raises(ServerUnavailableError, match=r"no answer within 0\.05 s"):
                client.seed(255)
        assert client.seed(2) == b"\x02\x02"


def test_both_clients_connect_anew_after_a_restart() -> None:
    """A restart of the server between two calls is not seen; while it is down, calls fail."""

    async def run() -> None:
        with short_directory() as directory:
            path = directory / "s"
            blocking = Client(path)
            async with AsyncClient(path) as client:
                for _ in range(2):
                    async with rpc_server(path):
                        seeds = await asyncio.gather(*(client.seed(3) for _ in range(20)))
                        assert seeds == [b"\x03" * 3] * 20
                        assert await asyncio.to_thread(blocking.seed, 3) == b"\x03" * 3
                async with rpc_server(path) as server:
                    assert await client.seed(4) == b"\x04" * 4
                    assert server.figures.accepted == 1
                for call in (client.seed(3), asyncio.to_thread(blocking.seed, 3)):
                    with pytest.raises(ServerUnavailableError, match=f"{path}: No such file"):
                        await call
            blocking.close()

    uvloop.run(run())


def test_closing_the_asyncio_client_fails_the_calls_under_way() -> None:
    """They are not tried again over a new connection that nobody would close."""

    async def run() -> None:
        async with serving(rpc_dialogue) as (server, path):
            client = AsyncClient(path)
            assert await client.seed(1)
            stuck = asyncio.ensure_future(client.seed(255))
            await asyncio.sleep(0)
            client.close()
            with pytest.raises(ServerUnavailableError, match="client closed"):
                await stuck
            assert server.figures.accepted == 1
            assert await client.seed(1)
            client.close()

    uvloop.run(run())


def test_calls_fail_at_once_for_a_while_after_a_failed_attempt() -> None:
    """A server that is down costs one attempt to connect in ``retry_pause`` seconds."""

    async def run() -> None:
        with short_directory() as directory:
            client = AsyncClient(directory / "s", retry_pause=60.0)
            with pytest.raises(ServerUnavailableError, match="No such file"):
                await client.seed(1)
            with pytest.raises(ServerUnavailableError, match="a moment ago"):
                await client.seed(1)

    uvloop.run(run())


GARBAGE = [b"\xc1", b"\x00", rpc.encode_call(1, "seed", ()), b"\x93\x01\x01\xc0"]
MISFITS = [
    rpc.encode_result(1, {}),
    rpc.encode_result(1, {"status": 7, "seed": b""}),
    rpc.encode_result(1, {"status": 0, "seed": 1}),
    rpc.encode_error(1, Status.FAILED, "no"),
]


@pytest.mark.parametrize("answer", GARBAGE + MISFITS)
def test_a_malformed_response_is_a_protocol_error(answer: bytes) -> None:
    """For both clients, and whatever is wrong with it."""

    async def ask(path: Path) -> None:
        async with AsyncClient(path) as client:
            await client.seed(1)

    with short_directory() as directory, raw_server(directory / "s", answer, answer):
        with Client(directory / "s") as client, pytest.raises(ProtocolError):
            client.seed(1)
        with pytest.raises(ProtocolError):
            uvloop.run(ask(directory / "s"))


def test_garbage_spoils_one_connection_only() -> None:
    """Also when it comes on one that has served before, the next call opens another."""
    good = rpc.encode_result(1, {"status": 0, "seed": b"a"})
    with short_directory() as directory:
        path = directory / "s"
        last = rpc.encode_result(3, {"status": 0, "seed": b"c"})
        with raw_server(path, good + b"\xc1", last), Client(path) as client:
            assert client.seed(1) == b"a"
            with pytest.raises(ProtocolError):
                client.seed(1)
            assert client.seed(1) == b"c"


def test_a_response_over_the_limit_is_refused() -> None:
    """A client holds no more than it was made for."""
    large = rpc.encode_result(1, {"status": 0, "session": bytes(2000)})
    with (
        short_directory() as directory,
        raw_server(directory / "s", large),
        Client(directory / "s", response_size_limit=1000) as client,
        pytest.raises(ProtocolError, match="limit"),
    ):
        client.lookup(SMTPD, b"id")


def test_a_path_that_is_too_long_is_named_as_such() -> None:
    """And not taken for a server that is slow."""
    with Client("/" + "x" * 200) as client, pytest.raises(ServerUnavailableError, match="too long"):
        client.seed(1)
