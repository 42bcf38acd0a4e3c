"""What scripts/bench makes of its figures: verdicts, tables and the picture."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import chart, markdown, report
from benchmark.load import Measurement
from benchmark.placement import Placement
from benchmark.rounds import Case, Outcome, Pair, Side
from benchmark.targets import Target


def measured(rate: float, median: float) -> Measurement:
    """Return what a run of the load generator could have counted."""
    return Measurement(rate=rate, median=median, p99=median * 3, errors=0)


def outcome(
    workload: str, connections: int, *ratios: float, placement: Placement = Placement.APART
) -> Outcome:
    """Return the rounds of a case in which our server answered so many times as many requests."""

    def never(_seconds: float) -> Measurement:
        raise AssertionError

    sides = [Side(label=label, measure=never) for label in ("debian", "ours")]
    case = Case(
        workload=workload,
        connections=connections,
        placement=placement,
        yardstick=sides[0],
        candidate=sides[1],
    )
    rounds = [
        Pair(yardstick=measured(1000, 500), candidate=measured(1000 * ratio, 500 / ratio)) for ratio in ratios
    ]
    return Outcome(case=case, rounds=rounds)


def document(*outcomes: Outcome) -> report.Document:
    """Return the document of a run with these outcomes."""
    memory = {"idle": {"debian": {"tlsmgr": 2048}, "ours": {"cache-server": 1024}}}
    circumstances = {"postfix": "3.7.11", "load_before": "0.1"}
    return report.as_document(
        outcomes, memory, command="scripts/bench", circumstances=circumstances, rounds=3, seconds=1.0
    )


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [((1.9, 1.9, 9.0), "missed"), ((2.1, 1.0, 2.1), "met"), ((3.2, 3.0, 2.9), "aim met")],
)
def test_the_median_of_the_rounds_ratios_is_held_against_the_target(
    ratios: tuple[float, ...], verdict: str
) -> None:
    """One lucky or unlucky round decides nothing."""
    assert document(outcome("policy", 16, *ratios))["cases"][0]["met"] == verdict


def test_with_one_connection_less_latency_is_better() -> None:
    """A server that is twice as fast has half the latency, and that meets a target of 0.6."""
    line = document(outcome("policy", 1, 2.0, placement=Placement.TOGETHER))["cases"][0]
    assert (line["ratio"]["median"], line["met"]) == (0.5, "aim met")


def test_a_line_with_another_placement_has_no_target() -> None:
    """The targets are for the usual placement: a line with another is for comparison only."""
    line = document(outcome("policy", 1, 2.0, placement=Placement.FREE))["cases"][0]
    assert (line["target"], line["met"]) == (None, "")


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(0.01, 100))
def test_who_reaches_the_aim_does_what_they_must(ratio: float, one: float, other: float) -> None:
    """An aim is never less than what must be, whichever way is better."""
    low, high = sorted((one, other))
    for target in (
        Target(figure="rate", must=low, aim=high),
        Target(figure="median", must=high, aim=low),
    ):
        assert target.is_met_by(ratio) or not target.is_aimed_by(ratio)


def test_a_page_without_a_place_for_the_report_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into a file that has not got both marks."""
    page = tmp_path / "page.md"
    page.write_text("<!-- begin of what scripts/bench wrote -->\nno end\n")
    with pytest.raises(markdown.MarkError, match=r"page\.md"):
        markdown.insert(document(), page)
    assert page.read_text().endswith("no end\n")


def test_a_missed_target_stands_out() -> None:
    """The table names the target, what is aimed for, and in bold that it was missed."""
    text = markdown.as_markdown(document(outcome("tktkey", 16, 1.5)))
    assert "| rate >= 2 (3) | **missed** |" in text
    assert "resident memory of ours, idle: cache-server 1.0 MiB" in text


def test_every_row_of_a_table_has_as_many_cells() -> None:
    """Each table's rows have the cells of its heading."""
    lines = markdown.as_markdown(document(outcome("tktkey", 16, 1.5), outcome("update", 64, 8))).splitlines()
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|")


def test_a_faster_server_has_a_longer_bar() -> None:
    """Bars start at 1: to the right for faster, to the left for slower, and keep within the picture."""
    svg = chart.as_svg(document(*(outcome("update", 16, ratio) for ratio in (0.7, 2.0, 4.0, 1000.0))))
    bars = [one for one in ET.fromstring(svg) if one.tag.endswith("rect")]  # noqa: S314 - our own text
    kinds = [one.attrib["class"] for one in bars]
    widths = [float(one.attrib["width"]) for one in bars]
    assert kinds == ["worse", "better", "better", "better"]
    assert widths[1] < widths[2] < widths[3]
    assert all(float(one.attrib["x"]) + float(one.attrib["width"]) <= 820 for one in bars)
