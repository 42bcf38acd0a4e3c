from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.shared_store.breaker import (
    FAILURES_MAX,
    LONGEST_PAUSE_SECONDS,
    PAUSE_SECONDS,
    BreakerState,
    CircuitBreaker,
)


def _opened(breaker: CircuitBreaker | None = None, *, now: float = 0.0) -> CircuitBreaker:
    breaker = breaker or CircuitBreaker()
    for _ in range(FAILURES_MAX):
        breaker = breaker.failed(now, 0.0)
    return breaker


def test_it_opens_after_some_failures_in_a_row() -> None:
    """One answer between them, and the counting begins anew."""
    breaker = CircuitBreaker()
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            breaker = breaker.failed(0.0, 0.0)
        assert breaker.lets_pass
        breaker = breaker.succeeded()
    assert not _opened(breaker).lets_pass


def test_its_pause_doubles_up_to_a_minute() -> None:
    """Each probe that fails makes the next one come later."""
    breaker, now = _opened(), 0.0
    pauses = []
    for _ in range(9):
        pauses.append(breaker.probe_at - now)
        now = breaker.probe_at
        breaker = breaker.probing(now).probe_failed(now, 0.0)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_hosts_probe_at_different_times() -> None:
    """Luck takes up to a quarter off a pause."""
    breaker = CircuitBreaker()
    for _ in range(FAILURES_MAX):
        breaker = breaker.failed(0.0, 1.0)
    assert breaker.probe_at == PAUSE_SECONDS * 0.75


def test_only_an_answered_request_makes_the_next_pause_short() -> None:
    """A store that answers probes and nothing else is asked less and less often."""
    breaker = _opened().probing(1.0).probe_succeeded()
    assert breaker.lets_pass
    assert _opened(breaker).pause == 2 * PAUSE_SECONDS
    assert _opened(breaker.succeeded()).pause == PAUSE_SECONDS


def test_answers_that_come_late_do_not_close_it() -> None:
    """Only its probe does: what was sent before it opened says nothing of now."""
    breaker = _opened()
    assert breaker.succeeded() is breaker
    assert breaker.failed(0.0, 0.0) is breaker
    assert breaker.probing(0.5) is breaker
    assert breaker.probing(1.0).state is BreakerState.HALF_OPEN


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["failed", "succeeded", "probing", "probe_failed", "probe_succeeded"]),
            st.floats(0, 10),
            st.floats(0, 1),
        )
    )
)
def test_it_is_never_stuck(events: list[tuple[str, float, float]]) -> None:
    """Whatever happened: while it is open a probe is due within a minute, and a good one closes it."""
    breaker, now = CircuitBreaker(), 0.0
    for event, seconds, luck in events:
        now += seconds
        match event:
            case "failed":
                breaker = breaker.failed(now, luck)
            case "succeeded":
                breaker = breaker.succeeded()
            case "probing":
                breaker = breaker.probing(now)
            case "probe_failed":
                breaker = breaker.probe_failed(now, luck)
            case _:
                breaker = breaker.probe_succeeded()
    if breaker.state is BreakerState.OPEN:
        assert breaker.probe_at <= now + LONGEST_PAUSE_SECONDS
        breaker = breaker.probing(breaker.probe_at)
    if breaker.state is BreakerState.HALF_OPEN:
        breaker = breaker.probe_succeeded()
    assert breaker.lets_pass
