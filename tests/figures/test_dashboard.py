import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT
from tlsmgr.figures.catalog import METRICS
from tlsmgr.figures.metric import ANY_WORKER, Kind

DASHBOARD = json.loads(Path(CHECKOUT, "docs", "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
#: Labels that Prometheus itself adds, and a histogram's own.
COMMON_LABELS = {"instance", "job"}


def _queries() -> Iterator[str]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


def _labels_by_name() -> Mapping[str, set[str]]:
    known = {"tlsmgr_up": {"worker"}, "tlsmgr_build_info": {"worker", "version"}}
    for metric in METRICS:
        labels = set(re.findall(r"{(\w+)}", metric.place))
        labels |= {"worker"} if metric.worker == ANY_WORKER else set()
        labels |= {"state"} if metric.kind is Kind.STATE else set()
        if metric.kind is Kind.HISTOGRAM:
            known |= {f"{metric.name}_sum": labels, f"{metric.name}_count": labels}
            known[f"{metric.name}_bucket"] = labels | {"le"}
        else:
            known[metric.name] = labels
    return known


LABELS = _labels_by_name()


@pytest.mark.parametrize("query", sorted(set(_queries())))
def test_a_query_names_metrics_and_labels_that_exist(query: str) -> None:
    """Under exactly the names that a scrape has."""
    named = re.findall(r"tlsmgr_\w+", query)
    assert named
    assert set(named) <= LABELS.keys()
    allowed = set.union(*(LABELS[name] for name in named)) | COMMON_LABELS
    for selector in re.finditer(r"(tlsmgr_\w+){([^}]*)}", query):
        used = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', selector[2]))
        assert used <= LABELS[selector[1]] | COMMON_LABELS
    for grouping in re.findall(r"by \(([^)]*)\)", query):
        assert set(re.split(r", *", grouping)) <= allowed
    assert query.count("(") == query.count(")")
    assert query.count("{") == query.count("}")


def test_a_counter_is_shown_as_a_rate_and_nothing_else_is() -> None:
    """The height of a counter says only how long ago the worker was started."""
    for query in _queries():
        for name in re.findall(r"tlsmgr_\w+", query):
            is_counter = re.search(r"_(total|bucket|sum|count)$", name) is not None
            assert (f"rate({name}" in query) == is_counter, query


def test_a_legend_names_labels_that_the_query_keeps() -> None:
    """Or there would be an empty place in it."""
    for panel in PANELS:
        for target in panel["targets"]:
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            kept = re.findall(r"by \(([^)]*)\)", target["expr"])
            if kept:
                assert legend <= set(re.split(r", *", kept[0])), target
            elif legend:
                assert legend <= set.union(
                    *(LABELS[n] for n in re.findall(r"tlsmgr_\w+", target["expr"]))
                ) | (COMMON_LABELS)


def test_every_metric_is_on_the_dashboard_or_there_is_a_reason() -> None:
    """What is counted can be seen."""
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", name) for q in _queries() for name in re.findall(r"tlsmgr_\w+", q)
    }
    left_out = {metric.name for metric in METRICS} - shown
    assert left_out == {
        "tlsmgr_cache_delete_requests_total",  # tlsmgr_requests_total has them as well
        "tlsmgr_cache_enabled",
        "tlsmgr_entropy_source_reads_total",
        "tlsmgr_exchange_file_updates_total",
        "tlsmgr_pool_bytes_total",
        "tlsmgr_pool_entropy_bytes_total",
        "tlsmgr_sealing_key_refused_total",
        "tlsmgr_sweep_kept_entries",
        "tlsmgr_sweep_seconds_total",
        "tlsmgr_sweeps_total",
    }


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    """Grafana would move them about."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
