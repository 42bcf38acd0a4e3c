import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

import pytest

from tlsmgr.errors import AccessDeniedError, ProtocolError, ServerUnavailableError
from tlsmgr.sealing.hand_over import HandOver, Side
from tlsmgr.sealing.key_exchange import ImpostorError, KeyExchange
from tlsmgr.sealing.keys import SealingKey, SealingKeys

Asked = Callable[[bytes, bytes], Awaitable[object]]


async def nobody(*_: object) -> object:
    """Answer as a socket does that nobody listens at."""
    raise ServerUnavailableError("nobody is there")


US = (os.getpid(), os.getuid())


def _is_us(process_id: int, user_id: int) -> bool:
    return (process_id, user_id) == US


class Worker:
    """One worker: its hand-over, its exchange, and the keys that it was told to use."""

    def __init__(self, side: Side, ask: Asked, *, patient: bool = True) -> None:
        now = asyncio.get_running_loop().time()
        self.hand_over = HandOver(side, os.urandom, now=now if patient else now - 10)
        self.used: list[SealingKeys] = []
        self.was_changed = asyncio.Event()
        self.exchange = KeyExchange(self.hand_over, ask, _is_us, self._use)

    def _use(self, keys: SealingKeys) -> None:
        self.used.append(keys)
        self.was_changed.set()

    async def ask(self, keys: bytes, revoked: bytes) -> Mapping[str, object]:
        """Answer as this worker's socket does."""
        return self.exchange.answer(*US, (keys, revoked))


def test_two_that_start_together_get_one_key() -> None:
    """Each asks the other, whichever is first to answer."""

    async def run() -> None:
        async def ask_cache(keys: bytes, revoked: bytes) -> object:
            return await cache.ask(keys, revoked)

        prng = Worker(Side.PRNG_SERVER, ask_cache)
        cache = Worker(Side.CACHE_SERVER, prng.ask)
        await asyncio.gather(cache.exchange.obtain(), prng.exchange.obtain())
        assert cache.hand_over.keys == prng.hand_over.keys
        assert cache.used[-1] == prng.used[-1] == cache.hand_over.keys
        assert not cache.hand_over.wants_exchange

    asyncio.run(run())


def test_one_that_is_alone_makes_a_key_and_goes_on() -> None:
    """Nothing waits for a worker that does not come, and closing ends the asking."""

    async def run() -> None:
        cache = Worker(Side.CACHE_SERVER, nobody, patient=False)
        await cache.exchange.obtain()
        assert [keys.current is not None for keys in cache.used] == [True]
        cache.exchange.close()
        cache.exchange.close()

    asyncio.run(run())


def test_what_was_made_alone_is_offered_until_the_other_worker_has_it() -> None:
    """And the cache server's key stays the one that seals."""

    async def run() -> None:
        calls: list[str] = []
        prng = Worker(Side.PRNG_SERVER, nobody)
        prng.hand_over.missed(now=float("inf"))

        async def at_the_third_time(keys: bytes, revoked: bytes) -> object:
            calls.append("asked")
            if len(calls) < 3:
                raise ServerUnavailableError("not yet")
            return await prng.ask(keys, revoked)

        cache = Worker(Side.CACHE_SERVER, at_the_third_time, patient=False)
        await cache.exchange.obtain()
        own = cache.hand_over.keys.current
        cache.was_changed.clear()
        await cache.was_changed.wait()
        assert cache.hand_over.keys == prng.hand_over.keys
        assert cache.hand_over.keys.current == own
        assert len(cache.hand_over.keys.keys) == 2

    asyncio.run(run())


def test_a_renewed_key_reaches_the_other_worker_by_itself() -> None:
    """In the next turns of the loop."""

    async def run() -> None:
        prng = Worker(Side.PRNG_SERVER, nobody)
        prng.hand_over.missed(now=float("inf"))
        cache = Worker(Side.CACHE_SERVER, prng.ask)
        await cache.exchange.obtain()
        former = cache.hand_over.keys.current
        cache.exchange.renew()
        assert cache.used[-1].current != former
        await prng.was_changed.wait()
        assert prng.hand_over.keys == cache.hand_over.keys
        assert len(prng.hand_over.keys.keys) == 1

    asyncio.run(run())


@pytest.mark.parametrize("answer", [None, {}, {"status": 0, "keys": b"short", "revoked": b""}])
def test_an_answer_that_makes_no_sense_is_logged_without_its_content_and_no_key_is_taken(
    answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker goes on with a key of its own."""

    async def wrong(*_: object) -> object:
        return answer

    async def run() -> None:
        prng = Worker(Side.PRNG_SERVER, wrong)
        await prng.exchange.obtain()
        prng.exchange.close()
        assert len(prng.hand_over.keys.keys) == 1

    asyncio.run(run())
    assert "does not tell its sealing keys" in caplog.text
    assert "short" not in caplog.text


@pytest.mark.parametrize("params", [(), (b"",), (b"", b"", b""), ("keys", b""), (b"short", b"")])
def test_wrong_params_are_an_error_and_change_nothing(params: tuple[object, ...]) -> None:
    """Whoever asks gets no key for them."""

    async def run() -> None:
        prng = Worker(Side.PRNG_SERVER, nobody)
        prng.hand_over.missed(now=float("inf"))
        before = prng.hand_over.keys
        with pytest.raises(ProtocolError):
            prng.exchange.answer(*US, params)
        assert prng.hand_over.keys == before

    asyncio.run(run())


def test_who_asks_is_told_what_was_there_before() -> None:
    """So both merge the same two values."""

    async def run() -> None:
        prng = Worker(Side.PRNG_SERVER, nobody)
        prng.hand_over.missed(now=float("inf"))
        before = prng.hand_over.keys
        theirs = SealingKey(b"t" * 32)
        answer = prng.exchange.answer(*US, (theirs.secret, b""))
        assert answer == {"status": 0, "keys": before.keys[0].secret, "revoked": b""}
        assert prng.hand_over.keys.current == theirs
        assert prng.used == [prng.hand_over.keys]

    asyncio.run(run())


def test_anybody_but_the_other_worker_is_refused_counted_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With who it was, and without what it sent; no key is given or taken."""

    async def run() -> None:
        prng = Worker(Side.PRNG_SERVER, nobody)
        prng.hand_over.missed(now=float("inf"))
        before = prng.hand_over.keys
        for process_id, user_id in [(US[0] + 1, US[1]), (US[0], US[1] + 1)]:
            with pytest.raises(AccessDeniedError, match="for the other worker alone"):
                prng.exchange.answer(process_id, user_id, (b"k" * 32, b""))
        assert prng.hand_over.keys == before
        assert prng.exchange.refused == 2

    asyncio.run(run())
    assert f"refused the sealing key to uid {US[1]}, pid {US[0] + 1}" in caplog.text
    assert "kkkk" not in caplog.text


def test_a_stranger_at_the_other_workers_socket_is_counted_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is not as if nobody were there: somebody sits in the other worker's place."""

    async def impostor(*_: object) -> object:
        raise ImpostorError("uid 7, pid 8 is not the worker of that name")

    async def run() -> None:
        worker = Worker(Side.CACHE_SERVER, impostor)
        await worker.exchange.obtain()
        worker.exchange.close()
        assert worker.exchange.impostors > 1

    asyncio.run(run())
    assert caplog.text.count("uid 7, pid 8") == 1
