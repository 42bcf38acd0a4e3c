from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.figures.histogram import AGE_BOUNDS, LATENCY_BOUNDS, Histogram, quantile

VALUES = st.lists(st.floats(min_value=0, max_value=1e6), min_size=1)


@given(VALUES)
def test_every_value_is_counted_once_below_its_bound(values: list[float]) -> None:
    """A bound counts what equals it, too: Prometheus's le means less or equal."""
    histogram = Histogram(AGE_BOUNDS)
    for value in values:
        histogram.observe(value)
    shown = histogram.as_map()
    assert shown["count"] == len(values)
    assert shown["sum"] == histogram.total
    for place, bound in enumerate(AGE_BOUNDS):
        assert sum(histogram.counts[: place + 1]) == sum(value <= bound for value in values)


@given(VALUES, st.floats(min_value=0.01, max_value=1))
def test_a_quantile_is_the_bound_above_that_share(values: list[float], share: float) -> None:
    """So many of the values are no larger, and fewer are below the bound before it."""
    histogram = Histogram(LATENCY_BOUNDS)
    for value in values:
        histogram.observe(value)
    found = quantile(histogram.bounds, histogram.counts, share)
    assert found is not None
    assert sum(value <= found for value in values) >= share * len(values)
    place = bisect_left(LATENCY_BOUNDS, found)
    if place:
        assert sum(value <= LATENCY_BOUNDS[place - 1] for value in values) < share * len(values)


def test_there_is_no_quantile_of_nothing() -> None:
    """Nothing was counted, so nothing is known."""
    assert quantile(AGE_BOUNDS, Histogram(AGE_BOUNDS).counts, 0.5) is None
