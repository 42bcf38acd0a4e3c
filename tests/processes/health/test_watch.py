"""When a worker counts as hung, and when it may be restarted."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.processes.health.watch import (
    LONGEST_PAUSE_SECONDS,
    SHORT_LIFE_SECONDS,
    Patience,
    ShortLives,
    Watch,
)

_PATIENCE = Patience(answer=10.0, restart=60.0)


def test_silence_counts_from_the_first_question_on() -> None:
    """More questions do not make it shorter."""
    watch = Watch(_PATIENCE)
    watch.asked(100.0)
    watch.asked(105.0)

    assert not watch.is_hung(109.9)
    assert watch.is_hung(110.0)


def test_one_that_was_not_asked_or_has_answered_is_not_hung() -> None:
    """Nor is one whose place another process has taken."""
    watch = Watch(_PATIENCE)
    assert not watch.is_hung(1e9)
    watch.asked(0.0)
    watch.answered(0.0)
    assert not watch.is_hung(1e9)
    watch.asked(0.0)
    watch.began()
    assert not watch.is_hung(1e9)


def test_what_could_not_be_asked_is_not_hung() -> None:
    """Its silence began with a question that it may have heard; without one there is nothing to tell."""
    watch = Watch(_PATIENCE)
    watch.asked(0.0)
    watch.not_asked()

    assert not watch.is_hung(1e9)


def test_an_answer_tells_for_a_while_and_not_of_a_successor() -> None:
    """What another process answered says nothing of this one."""
    watch = Watch(_PATIENCE)
    assert not watch.has_answered_within(1e9, 0.0)
    watch.answered(100.0)
    assert watch.has_answered_within(1.0, 101.0)
    assert not watch.has_answered_within(1.0, 101.1)
    watch.began()
    assert not watch.has_answered_within(1.0, 100.0)


def test_a_time_in_which_we_did_not_run_ourselves_is_excused() -> None:
    """As when all of the machine was stopped: the answer may be on its way."""
    watch = Watch(_PATIENCE)
    watch.asked(0.0)
    watch.excuse(5000.0)

    assert not watch.is_hung(5009.0)
    assert watch.is_hung(5010.0)


def test_an_answer_makes_the_pause_short_again() -> None:
    """Only restarts that bring nothing are made less and less often."""
    watch = Watch(_PATIENCE)
    watch.restarted(0.0)
    watch.restarted(60.0)
    assert not watch.may_restart(179.0)
    assert watch.may_restart(180.0)
    watch.answered(0.0)
    assert watch.may_restart(120.0)


@given(st.lists(st.floats(min_value=0.1, max_value=1000.0), max_size=200))
def test_a_worker_that_never_answers_is_restarted_ever_less_often(steps: list[float]) -> None:
    """From one restart to the next there is the pause at least; it doubles, up to an hour."""
    watch, now, restarts = Watch(_PATIENCE), 0.0, list[float]()
    for step in steps:
        now += step
        watch.asked(now)
        if watch.is_hung(now) and watch.may_restart(now):
            watch.restarted(now)
            restarts.append(now)
    pauses = [later - earlier for earlier, later in pairwise(restarts)]
    for number, pause in enumerate(pauses):
        assert pause >= min(_PATIENCE.restart * 2**number, LONGEST_PAUSE_SECONDS)


def test_short_lives_are_counted_until_one_is_long() -> None:
    """One whose start was not seen is none of them."""
    lives = ShortLives()
    assert lives.ended(1.0) == 0
    for count in (1, 2, 3):
        lives.started(0.0)
        assert lives.ended(SHORT_LIFE_SECONDS - 1) == count
    lives.started(0.0)
    assert lives.ended(SHORT_LIFE_SECONDS) == 0
