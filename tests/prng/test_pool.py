import dataclasses
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.errors import HostError
from tlsmgr.prng.hmac_drbg import REQUEST_SIZE_MAX
from tlsmgr.prng.pool import KernelRandomError, Pool

Action = Callable[[Pool], object]

#: A kernel whose bytes can be foretold, so that only the generator's part is looked at.
ZERO_KERNEL = bytes


def fixed_pool(*, process: Callable[[], int] = lambda: 1) -> Pool:
    """Make a pool in which nothing but what is done to it makes a difference."""
    return Pool(kernel=ZERO_KERNEL, clock=lambda: 1_700_000_000_000_000_000, process=process)


actions = st.lists(
    st.one_of(
        st.builds(lambda data: lambda pool: pool.stir(data), st.binary(max_size=80)),
        st.builds(lambda data: lambda pool: pool.reseed(data), st.binary(max_size=80)),
        st.builds(lambda n: lambda pool: pool.generate(n), st.integers(0, 200)),
    ),
    max_size=6,
)


def after(history: list[Action]) -> Pool:
    """Return a fixed pool with that history."""
    pool = fixed_pool()
    for action in history:
        action(pool)
    return pool


@given(actions)
def test_the_same_inputs_give_the_same_output_with_the_kernel_fixed(history: list[Action]) -> None:
    """All that makes an output different is in the inputs: there is no hidden state."""
    assert after(history).generate(64) == after(history).generate(64)


@given(actions)
def test_the_same_inputs_give_different_output_with_the_real_kernel(history: list[Action]) -> None:
    """Kernel bytes are in every output, so no history comes twice."""
    first, second = (Pool(clock=lambda: 0, process=lambda: 1) for _ in range(2))
    for action in history:
        action(first)
        action(second)
    assert first.generate(64) != second.generate(64)


@given(actions, st.binary(max_size=100), actions)
def test_any_stir_changes_all_that_follows(before: list[Action], data: bytes, later: list[Action]) -> None:
    """Also an empty one, and whatever happens between it and the output."""
    stirred = after([*before, lambda pool: pool.stir(data), *later])
    assert stirred.generate(64) != after([*before, *later]).generate(64)


@given(st.binary(min_size=1, max_size=1024), st.data())
def test_one_bit_changes_the_whole_output(data: bytes, draw: st.DataObject) -> None:
    """A 1-bit difference in what was stirred in changes about half of the bits of a long output."""
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    other = (int.from_bytes(data, "big") ^ (1 << bit)).to_bytes(len(data), "big")
    first = after([lambda pool: pool.stir(data)]).generate(1024)
    second = after([lambda pool: pool.stir(other)]).generate(1024)
    changed = (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).bit_count()
    # Six standard deviations (45 bits each) around half of 8192.
    assert abs(changed - 4096) < 272
    assert all(first[i : i + 16] != second[i : i + 16] for i in range(0, 1024, 16))


@given(st.lists(st.binary(max_size=20), max_size=5), st.lists(st.binary(max_size=20), max_size=5))
def test_no_two_sequences_of_stirs_are_the_same(first: list[bytes], second: list[bytes]) -> None:
    """Where one stir ends and the next begins makes a difference: each is length-prefixed."""
    outputs = []
    for stirs in (first, second):
        pool = fixed_pool()
        for data in stirs:
            pool.stir(data)
        outputs.append(pool.generate(32))
    assert (outputs[0] == outputs[1]) == (first == second)


def test_stirring_is_not_reseeding() -> None:
    """The same bytes have another effect by another way: each way has its own tag."""
    assert after([lambda pool: pool.stir(b"x")]).generate(32) != (
        after([lambda pool: pool.reseed(b"x")]).generate(32)
    )


@given(st.integers(0, 300))
def test_output_is_xored_with_the_kernels_bytes(n: int) -> None:
    """With the generator's part fixed, each kernel bit flips exactly its bit of the output."""
    fill = [0]

    def kernel(size: int) -> bytes:
        return bytes(fill) * size

    first, second = (Pool(kernel=kernel, clock=lambda: 0, process=lambda: 1) for _ in range(2))
    plain = first.generate(n)
    fill[0] = 0xFF
    assert second.generate(n) == bytes(byte ^ 0xFF for byte in plain)


@given(st.integers(-(2**70), 2**70))
def test_the_time_of_day_is_in_every_output(now: int) -> None:
    """One nanosecond makes another output; also a clock that is set to nonsense serves."""
    times = iter([0, 0, now, 0, 0, now + 1])
    first, second = (
        Pool(kernel=ZERO_KERNEL, clock=lambda: next(times), process=lambda: 1).generate(32) for _ in range(2)
    )
    assert first != second


@pytest.mark.parametrize("size", [0, 1, 255, 1024, REQUEST_SIZE_MAX])
def test_every_size_up_to_64_kib_is_given(size: int) -> None:
    """Exactly as many bytes as asked for."""
    assert len(Pool().generate(size)) == size


@pytest.mark.parametrize("size", [-1, REQUEST_SIZE_MAX + 1])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    """And counts as nothing."""
    pool = Pool()
    with pytest.raises(ValueError, match=r"not 0\.\.65536"):
        pool.generate(size)
    assert pool.statistics().requests == 0


def test_the_state_moves_on_after_every_output() -> None:
    """Nothing, time or kernel, needs to change for the next output to be another."""
    pool = fixed_pool()
    outputs = {pool.generate(32) for _ in range(100)}
    assert len(outputs) == 100


def test_a_stir_is_folded_in_once() -> None:
    """What was stirred in is in the state after one output, not in the accumulator for ever."""
    first = after([lambda pool: pool.stir(b"x"), lambda pool: pool.generate(1)])
    second = after([lambda pool: pool.stir(b"x"), lambda pool: pool.generate(1)])
    second.stir(b"")
    assert first.generate(32) != second.generate(32)


def test_a_forked_child_gives_other_bytes_than_its_parent() -> None:
    """Even with a kernel that gives both the same bytes, the process number parts them."""
    pool = Pool(kernel=ZERO_KERNEL, clock=lambda: 0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, pool.generate(32) + bytes([pool.statistics().reseeds]))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    assert answer[:32] != pool.generate(32)
    assert answer[32] == 1
    assert pool.statistics().reseeds == 0


def test_a_fork_is_noticed_once() -> None:
    """The child reseeds at its first output and is then the owner of its pool."""
    numbers = iter([1, 1, 2, 2, 2, 2])
    pool = fixed_pool(process=lambda: next(numbers))
    pool.generate(1)
    pool.generate(1)
    assert pool.statistics().reseeds == 1


def test_the_pool_reseeds_itself_without_any_source() -> None:
    """After so many requests fresh kernel bytes go into the state."""
    pool = Pool(reseed_interval=3)
    for _ in range(3):
        pool.generate(1)
    assert pool.statistics().reseeds == 0
    pool.generate(1)
    assert pool.statistics().reseeds == 1


def broken_kernel(first: int) -> Callable[[int], bytes]:
    """Return a kernel generator that works so many times and then fails."""

    def calls() -> Iterator[bool]:
        yield from [True] * first
        while True:
            yield False

    works = calls()

    def kernel(size: int) -> bytes:
        if not next(works):
            raise OSError(24, "Too many open files")
        return bytes(size)

    return kernel


def test_without_the_kernel_nothing_is_given_out() -> None:
    """The error is the host's fault, says what failed, and leaves the pool as it was."""
    with pytest.raises(KernelRandomError, match="Too many open files"):
        Pool(kernel=broken_kernel(0))
    pool = Pool(kernel=broken_kernel(2))
    before = pool.statistics()
    with pytest.raises(KernelRandomError, match="no bytes are given out"):
        pool.generate(32)
    with pytest.raises(KernelRandomError):
        pool.reseed(b"entropy")
    assert pool.statistics() == before
    assert issubclass(KernelRandomError, HostError)


def test_a_short_answer_of_the_kernel_is_an_error() -> None:
    """Too few bytes would leave the end of the output without them."""
    with pytest.raises(KernelRandomError, match="gave 31 of 32"):
        Pool(kernel=lambda size: bytes(size - 1))


def test_a_failed_kernel_does_not_lose_what_was_stirred_in() -> None:
    """The next output that succeeds has it."""
    working = [True]

    def kernel(size: int) -> bytes:
        if not working[0]:
            raise OSError(5, "Input/output error")
        return bytes(size)

    outputs = []
    for stirs in ([b"a"], [b"b"]):
        pool = Pool(kernel=kernel, clock=lambda: 0, process=lambda: 1)
        for data in stirs:
            pool.stir(data)
        working[0] = False
        with pytest.raises(KernelRandomError):
            pool.generate(1)
        working[0] = True
        outputs.append(pool.generate(32))
    assert outputs[0] != outputs[1]


def test_statistics_count_what_was_done() -> None:
    """Requests served from a block count one by one, our own use does not count as a request."""
    pool = Pool(clock=lambda: 77)
    pool.generate(10)
    pool.generate(1024, requests=0)
    pool.count_requests(4)
    pool.stir(b"x")
    pool.reseed(b"12345")
    assert dataclasses.asdict(pool.statistics()) == {
        "requests": 5,
        "bytes": 1034,
        "reseeds": 1,
        "stirs": 1,
        "entropy_bytes": 5,
        "since": 77,
    }


def test_repr_shows_no_state() -> None:
    """Pools with different states look alike."""
    first, second = (Pool(process=lambda: 1) for _ in range(2))
    assert repr(first) == repr(second)
