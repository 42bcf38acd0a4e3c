from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.service.commit_budget import CommitBudget, weight_of

SECONDS = st.floats(0.0, 10.0)
SPEEDS = st.floats(1e-8, 2e-8)  # seconds for each unit of weight


@given(st.lists(st.tuples(st.integers(1, 1 << 22), SECONDS)))
def test_whatever_is_learnt_leaves_room_for_a_few_and_for_no_more_than_at_first(
    taken: list[tuple[int, float]],
) -> None:
    """Also from a single huge session, from no time at all, and from seconds."""
    budget = CommitBudget()
    for weight, seconds in taken:
        budget.learn(weight, seconds)
        assert weight_of(4, 2000) <= budget.weight <= CommitBudget().weight


@given(SPEEDS)
def test_a_store_of_any_speed_is_held_as_long_as_is_wanted(speed: float) -> None:
    """After a few transactions that use the budget up, the next one takes about 1.2 ms."""
    budget = CommitBudget()
    for _ in range(6):
        budget.learn(budget.weight, budget.weight * speed)
    assert 0.0011 < budget.weight * speed < 0.00125 or budget.weight == CommitBudget().weight


def test_what_was_slow_once_is_not_remembered_for_long() -> None:
    """One that waited for the processor halves the budget; some fast ones bring it back."""
    budget = CommitBudget()
    budget.learn(budget.weight, 5.0)
    assert budget.weight == CommitBudget().weight // 2
    budget.learn(budget.weight, 0.0002)
    assert budget.weight == CommitBudget().weight


def test_a_small_transaction_that_was_fast_says_nothing_of_large_ones() -> None:
    """Single sessions do not make the budget larger."""
    budget = CommitBudget()
    budget.learn(budget.weight, 5.0)
    halved = budget.weight
    for _ in range(10):
        budget.learn(weight_of(1, 500), 0.0001)
    assert budget.weight == halved
