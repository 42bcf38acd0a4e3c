from tlsmgr.errors import Status
from tlsmgr.figures.requests import RequestFigures
from tlsmgr.messages import LookupRequest, MalformedRequest
from tlsmgr.processes.request_names import request_figures


def test_a_status_finds_its_own_place_in_a_row() -> None:
    """Statuses are 0, -1 and -2, as places in a list go."""
    figures = request_figures()
    for times, status in enumerate(Status, start=1):
        for _ in range(times):
            figures.rows[LookupRequest][status] += 1
    assert figures.as_map() == {"lookup": {"answers": {"ok": 1, "not_done": 2, "failed": 3}}}


def test_requests_that_say_nothing_are_counted_as_malformed() -> None:
    """Whatever they were meant to be."""
    figures = request_figures()
    figures.rows[MalformedRequest][Status.FAILED] += 1
    assert list(figures.as_map()) == ["malformed"]


def test_the_first_request_is_timed_and_then_one_in_seventeen() -> None:
    """A client that asks two things in turn has both of them timed."""
    ticks = iter(range(1000))
    figures = RequestFigures(lambda: float(next(ticks)), str)
    timed = []
    for number in range(17 * 4 + 1):
        figures.until_timed -= 1
        if not figures.until_timed:
            figures.timed(("even", "odd")[number % 2], figures.begin_timing())
            timed.append(number)
    assert timed == [0, 17, 34, 51, 68]
    shown = figures.as_map()
    assert {name: shown[name]["seconds"]["count"] for name in shown} == {"even": 3, "odd": 2}  # type: ignore[index]  # maps, as is asserted
