from fractions import Fraction
from itertools import pairwise
from math import comb
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.prng.health import (
    BLOCK_SIZE_COMPARED,
    BLOCKS_REMEMBERED,
    PROPORTION_CUTOFF,
    PROPORTION_WINDOW,
    REPETITION_CUTOFF,
    Alarm,
    HealthTests,
    Verdict,
)

#: 255 different bytes after each other, none of them 0.
VARIED = bytes(range(1, 256))


def test_the_proportion_cutoff_is_the_standards_formula() -> None:
    """1 + CRITBINOM(512, 2^-8, 1 - 2^-40): computed here with exact fractions."""
    share, total, k = Fraction(1, 256), Fraction(0), 0
    while True:
        total += comb(PROPORTION_WINDOW, k) * share**k * (1 - share) ** (PROPORTION_WINDOW - k)
        if total >= 1 - Fraction(1, 2**40):
            break
        k += 1
    assert 1 + k == PROPORTION_CUTOFF


def test_the_repetition_cutoff_is_the_standards_formula() -> None:
    """1 + ceil(40 / H) with H = 8 bits."""
    assert REPETITION_CUTOFF == 1 + -(-40 // 8)


def test_a_good_source_raises_no_alarm() -> None:
    """A megabyte of random bytes, read in 32s, passes all tests (the seed is fixed)."""
    source, tests = Random(1), HealthTests()  # noqa: S311 - stands for a source, keeps no secret
    assert all(tests.observe(source.randbytes(32)).healthy for _ in range(32768))


def test_five_times_the_same_byte_pass_and_six_do_not() -> None:
    """The cutoff is inclusive."""
    assert HealthTests().observe(bytes(5) + VARIED).healthy
    assert HealthTests().observe(VARIED + bytes(6)) == Verdict(alarms=(Alarm.REPETITION,))


@given(st.integers(1, 5), st.integers(0, 255))
def test_a_run_is_counted_over_reads(first: int, byte: int) -> None:
    """Where the source's reads are cut makes no difference."""
    tests = HealthTests()
    assert tests.observe(bytes([byte]) * first).healthy
    assert Alarm.REPETITION in tests.observe(bytes([byte]) * (6 - first)).alarms


def proportion_stream(times: int) -> bytes:
    """Return one window that begins with a 0 and has it so many times, never in a row."""
    pairs = b"".join(bytes([0, 1 + i % 255]) for i in range(times))
    filler = bytes(1 + i % 255 for i in range(PROPORTION_WINDOW - len(pairs)))
    return pairs + filler


def test_eighteen_of_512_pass_and_nineteen_do_not() -> None:
    """The cutoff is inclusive, and a new window starts from nothing."""
    tests = HealthTests()
    for _ in range(3):
        assert Alarm.PROPORTION not in tests.observe(proportion_stream(18)).alarms
    assert Alarm.PROPORTION in tests.observe(proportion_stream(19)).alarms


@given(st.lists(st.integers(1, PROPORTION_WINDOW - 1), max_size=20))
def test_a_window_is_counted_over_reads(cuts: list[int]) -> None:
    """Cut as it may be, the nineteenth zero of the window raises the alarm, and once a read."""
    tests, stream = HealthTests(), proportion_stream(19)
    edges = [0, *sorted(cuts), len(stream)]
    verdicts = [tests.observe(stream[a:b]) for a, b in pairwise(edges)]
    raised = [alarm for verdict in verdicts for alarm in verdict.alarms if alarm is Alarm.PROPORTION]
    assert raised == [Alarm.PROPORTION]


def test_a_block_served_again_is_found() -> None:
    """Also when others were served in between: a source may cycle."""
    tests = HealthTests()
    blocks = [VARIED[i : i + 32] for i in range(8)]
    assert all(tests.observe(block).healthy for block in blocks)
    assert all(Alarm.BLOCK_AGAIN in tests.observe(block).alarms for block in blocks)


def test_only_so_many_blocks_are_remembered() -> None:
    """The memory is bounded: the oldest block of 65 is forgotten."""
    tests, source = HealthTests(), Random(2)  # noqa: S311 - stands for a source, keeps no secret
    blocks = [source.randbytes(32) for _ in range(BLOCKS_REMEMBERED + 1)]
    assert all(tests.observe(block).healthy for block in blocks)
    assert Alarm.BLOCK_AGAIN in tests.observe(blocks[1]).alarms
    assert tests.observe(blocks[0]).healthy


def test_short_blocks_are_not_compared() -> None:
    """Five bytes come again by chance; the other two tests see them."""
    block = VARIED[: BLOCK_SIZE_COMPARED - 1]
    tests = HealthTests()
    assert tests.observe(block).healthy
    assert tests.observe(block).healthy
    assert Alarm.PROPORTION in [alarm for _ in range(18) for alarm in tests.observe(block).alarms]


def test_a_stuck_source_raises_each_alarm_once_a_read() -> None:
    """A device that gives zeros for ever: the log gets three facts, not thirty."""
    tests = HealthTests()
    assert tests.observe(bytes(32)).alarms == (Alarm.REPETITION, Alarm.PROPORTION)
    assert tests.observe(bytes(32)).alarms == (Alarm.BLOCK_AGAIN, Alarm.REPETITION, Alarm.PROPORTION)


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_nothing_delivered_makes_the_tests_fail_to_judge(blocks: list[bytes]) -> None:
    """Any bytes, and none, get a verdict."""
    tests = HealthTests()
    for block in blocks:
        assert isinstance(tests.observe(block), Verdict)
    assert tests.observe(b"").healthy
