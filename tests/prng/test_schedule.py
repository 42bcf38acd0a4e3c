import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.prng.schedule import LONGEST_RETRY, SHORTEST_DELAY, Timer, next_delay, retry_delay

moments = st.floats(0, 1e9)


@pytest.mark.parametrize(("randbyte", "delay"), [(255, 3600.0), (51, 720.0), (1, 3600 / 255)])
def test_a_delay_is_the_random_part_of_the_period(randbyte: int, delay: float) -> None:
    """``period * randbyte / 255``, as Postfix has it."""
    assert next_delay(3600, randbyte) == pytest.approx(delay)


@given(st.integers(1, 10**9), st.integers(0, 255))
def test_no_delay_is_zero_and_none_exceeds_the_period(period: int, randbyte: int) -> None:
    """A random byte of 0 waits for a second, and never spins."""
    assert SHORTEST_DELAY <= next_delay(period, randbyte) <= period


@given(st.integers(1, 10**6))
def test_back_off_doubles_up_to_five_minutes(failures: int) -> None:
    """However long a source is down, it is tried every five minutes."""
    assert retry_delay(failures) <= retry_delay(failures + 1) <= LONGEST_RETRY
    assert [retry_delay(n) for n in (1, 2, 3, 9, 10)] == [1, 2, 4, 256, 300]


def test_a_new_timer_is_due_at_once() -> None:
    """At any reading of the clock."""
    timer = Timer(3600, lambda: 0)
    assert timer.delay(-1e9) == 0
    assert timer.delay(0) == 0


@given(moments, st.integers(1, 10**6), st.integers(0, 255))
def test_after_a_success_it_waits_and_then_is_due(now: float, period: int, randbyte: int) -> None:
    """Not before the delay is over, and for ever after."""
    timer = Timer(period, lambda: randbyte)
    timer.succeeded(now)
    delay = timer.delay(now)
    assert delay == pytest.approx(next_delay(period, randbyte), abs=1e-6)
    assert timer.delay(now + 1e10) == 0


@given(moments, st.floats(0, 1e4))
def test_no_rounding_makes_a_delay_longer_than_the_period(now: float, later: float) -> None:
    """At any reading of the clock from then on."""
    timer = Timer(3600, lambda: 255)
    timer.succeeded(now)
    assert timer.delay(now) == 3600
    assert timer.delay(now + later) <= 3600


def test_each_delay_is_drawn_anew() -> None:
    """Two successes, two random bytes."""
    drawn = iter([255, 51])
    timer = Timer(255, lambda: next(drawn))
    timer.succeeded(0)
    assert timer.delay(0) == 255
    timer.succeeded(0)
    assert timer.delay(0) == 51


def test_failures_back_off_and_a_success_forgives_them() -> None:
    """The delay is told, for the log."""
    timer = Timer(3600, lambda: 255)
    assert [timer.failed(0) for _ in range(3)] == [1, 2, 4]
    assert timer.failures == 3
    assert timer.delay(1) == 3
    timer.succeeded(10)
    assert timer.failures == 0
    assert timer.failed(20) == 1


def test_a_stopped_timer_is_never_due() -> None:
    """For a source that is read once."""
    timer = Timer(3600, lambda: 255)
    timer.stop()
    assert timer.delay(1e12) == math.inf
