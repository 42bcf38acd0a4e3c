from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.service.commit_budget import CommitBudget, weight_of

SECONDS = st.floats(0.0, 10.0)
TAKEN = st.tuples(st.integers(1, 1 << 22), SECONDS, st.booleans())
SPEEDS = st.floats(1e-9, 1e-6)  # seconds for each unit of weight
SIZES = st.integers(100, 1 << 16)

MOST, LEAST = 224 << 10, 20 << 10


def test_there_is_room_for_a_few_always_and_at_first_for_very_many() -> None:
    """Four usual sessions, and fifty."""
    assert weight_of(4, 4 * 484) < LEAST
    assert weight_of(50, 50 * 484) <= CommitBudget().weight == MOST


def _group(budget: CommitBudget, size: int) -> int:
    """Return the weight of a transaction of sessions of one size, of which very many wait."""
    return max(1, budget.weight // weight_of(1, size)) * weight_of(1, size)


@given(st.lists(TAKEN))
def test_whatever_is_learnt_leaves_room_for_a_few_and_for_no_more_than_at_first(
    taken: list[tuple[int, float, bool]],
) -> None:
    """By half or by double at a time, also from a huge session, from no time at all, and from seconds."""
    budget = CommitBudget()
    for weight, seconds, had_no_room in taken:
        before = budget.weight
        budget.learn(weight, seconds, had_no_room=had_no_room)
        assert LEAST <= budget.weight <= MOST
        assert before // 2 <= budget.weight <= 2 * before


@given(SPEEDS, SIZES)
def test_the_loop_is_held_as_long_as_is_wanted(speed: float, size: int) -> None:
    """Whatever the store's speed and the size of sessions, but for the fewest and the most there may be."""
    budget = CommitBudget()
    for _ in range(20):
        weight = _group(budget, size)
        budget.learn(weight, weight * speed, had_no_room=True)
    room = weight_of(1, size)
    assert (budget.weight - room) * speed < 0.0013 or budget.weight == LEAST
    assert (budget.weight + room) * speed > 0.0011 or budget.weight == MOST


@given(SIZES)
def test_what_was_slow_for_a_while_does_not_count_for_ever(size: int) -> None:
    """Whatever the size of sessions, the budget comes back when the store is fast again."""
    budget = CommitBudget()
    for _ in range(10):
        budget.learn(_group(budget, size), 5.0, had_no_room=True)
    for _ in range(10):
        budget.learn(_group(budget, size), 0.0001, had_no_room=True)
    assert budget.weight == MOST


def test_a_small_transaction_that_was_slow_once_costs_half_the_budget() -> None:
    """It may have waited for the processor."""
    budget = CommitBudget()
    budget.learn(weight_of(1, 500), 0.0013, had_no_room=False)
    assert budget.weight == MOST // 2


def test_a_small_transaction_that_was_fast_says_nothing_of_large_ones() -> None:
    """Single sessions do not make the budget larger."""
    budget = CommitBudget()
    budget.learn(budget.weight, 5.0, had_no_room=True)
    for _ in range(10):
        budget.learn(weight_of(1, 500), 0.0001, had_no_room=False)
    assert budget.weight == MOST // 2
