import os

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.sealing.hand_over import PATIENCE_SECONDS, HandOver, Side
from tlsmgr.sealing.keys import SealingKey, SealingKeys

START = 100.0
LATE = START + PATIENCE_SECONDS


def started(side: Side) -> HandOver:
    """Return a worker that has just started."""
    return HandOver(side, os.urandom, now=START)


def exchange(asking: HandOver, asked: HandOver, *, answer_arrives: bool = True) -> None:
    """Let one worker ask the other."""
    sent, told = asking.keys, asked.keys
    asked.met(sent, told=told)
    if answer_arrives:
        asking.met(told, told=sent)


def with_own_key(side: Side) -> HandOver:
    """Return a worker that has waited in vain, and made a key."""
    worker = started(side)
    assert worker.missed(now=LATE)
    return worker


def test_prng_server_makes_the_first_key_at_once_and_cache_server_adopts_it() -> None:
    """As when both start together: one key, and both know it."""
    cache, prng = started(Side.CACHE_SERVER), started(Side.PRNG_SERVER)
    assert not cache.missed(now=START)
    assert prng.missed(now=START)
    exchange(cache, prng)
    assert cache.keys == prng.keys
    assert cache.has_key
    assert not cache.wants_exchange
    assert not prng.wants_exchange


def test_cache_server_goes_on_alone_when_it_has_waited_for_long_enough() -> None:
    """A prng-server that does not come must not keep every handshake waiting."""
    cache = started(Side.CACHE_SERVER)
    assert not cache.missed(now=LATE - 0.01)
    assert cache.missed(now=LATE)
    assert cache.wants_exchange


def test_a_worker_without_a_key_is_told_by_the_other_that_it_has_none_either() -> None:
    """Nothing is shared by that, and both go on asking."""
    cache, prng = started(Side.CACHE_SERVER), started(Side.PRNG_SERVER)
    exchange(prng, cache)
    assert cache.wants_exchange
    assert prng.wants_exchange


@given(st.sampled_from(Side))
def test_a_restarted_worker_gets_the_keys_from_the_other(restarted: Side) -> None:
    """Either one, killed or upgraded, comes back with what was sealed intact."""
    workers = {side: started(side) for side in Side}
    workers[Side.PRNG_SERVER].missed(now=START)
    exchange(workers[Side.CACHE_SERVER], workers[Side.PRNG_SERVER])
    keys = workers[Side.CACHE_SERVER].keys

    workers[restarted] = again = started(restarted)
    exchange(again, next(worker for side, worker in workers.items() if side is not restarted))

    assert again.keys == keys


@given(st.booleans())
def test_of_two_keys_the_cache_servers_seals_and_both_open(cache_asks: bool) -> None:  # noqa: FBT001 - hypothesis calls it
    """Two that could not talk made a key each: nothing sealed with either is lost."""
    cache, prng = with_own_key(Side.CACHE_SERVER), with_own_key(Side.PRNG_SERVER)
    first, second = cache.keys.current, prng.keys.current
    exchange(*((cache, prng) if cache_asks else (prng, cache)))
    assert cache.keys == prng.keys
    assert cache.keys.keys == (first, second)


def test_a_lost_answer_is_asked_for_again() -> None:
    """The one that asked does not know it is shared, and the next exchange mends all."""
    cache, prng = with_own_key(Side.CACHE_SERVER), with_own_key(Side.PRNG_SERVER)
    exchange(cache, prng, answer_arrives=False)
    assert cache.wants_exchange
    exchange(cache, prng)
    assert cache.keys == prng.keys
    assert not cache.wants_exchange


def test_a_renewed_key_replaces_all_others_in_both_workers() -> None:
    """And is offered until the other worker has it."""
    cache, prng = with_own_key(Side.CACHE_SERVER), with_own_key(Side.PRNG_SERVER)
    exchange(cache, prng)
    cache.renew()
    assert cache.wants_exchange
    exchange(cache, prng)
    assert cache.keys == prng.keys
    assert len(cache.keys.keys) == 1
    assert not cache.wants_exchange


def test_a_key_that_is_renewed_while_an_answer_is_awaited_counts_as_not_shared() -> None:
    """The other worker was told the former one only."""
    cache, prng = with_own_key(Side.CACHE_SERVER), with_own_key(Side.PRNG_SERVER)
    sent, told = cache.keys, prng.keys
    prng.met(sent, told=told)
    cache.renew()
    cache.met(told, told=sent)
    assert cache.wants_exchange
    exchange(cache, prng)
    assert cache.keys == prng.keys


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["cache asks", "prng asks", "restart cache", "restart prng", "wait", "renew"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happened_two_that_talk_end_with_the_same_keys(steps: list[tuple[str, bool]]) -> None:
    """Restarts, lost answers, keys made alone, revocations: in any order.

    And what the cache server sealed with opens as long as one of the two that knew it lives
    and it was not revoked.
    """
    cache, prng = started(Side.CACHE_SERVER), started(Side.PRNG_SERVER)
    for step, answer_arrives in steps:
        if step == "cache asks":
            exchange(cache, prng, answer_arrives=answer_arrives)
        elif step == "prng asks":
            exchange(prng, cache, answer_arrives=answer_arrives)
        elif step == "restart cache":
            cache = started(Side.CACHE_SERVER)
        elif step == "restart prng":
            prng = started(Side.PRNG_SERVER)
        elif step == "wait":
            cache.missed(now=LATE)
            prng.missed(now=LATE)
        elif cache.has_key:
            cache.renew()
    sealed_with = cache.keys.current
    prng.missed(now=LATE)
    exchange(cache, prng)
    assert cache.keys == prng.keys
    assert cache.has_key
    assert not cache.wants_exchange
    assert not prng.wants_exchange
    if sealed_with is not None and sealed_with.id not in prng.keys.revoked:
        assert cache.keys.current == sealed_with


@given(st.binary(min_size=32, max_size=32))
def test_a_repr_shows_no_key(secret: bytes) -> None:
    """How many there are, and whether they are shared, is all."""
    worker = started(Side.CACHE_SERVER)
    worker.met(SealingKeys(keys=(SealingKey(secret),)), told=SealingKeys())
    assert repr(worker) == "<HandOver of cache-server, 1 keys, shared>"
