"""docs/metrics.md: it has every metric, and every query in it names metrics that exist."""

import re

from rehearsal.checkout import CHECKOUT
from tlsmgr.figures.catalog import METRICS
from tlsmgr.figures.metric import ANY_WORKER, Kind, Metric

TEXT = (CHECKOUT / "docs" / "metrics.md").read_text()


def _row(metric: Metric) -> str:
    labels = ["worker"] if metric.worker == ANY_WORKER else []
    labels += re.findall(r"{(\w+)}", metric.place)
    labels += ["state"] if metric.kind is Kind.STATE else []
    kind = Kind.GAUGE if metric.kind is Kind.STATE else metric.kind
    return f"| `{metric.name}` | {kind.value} | {', '.join(labels)} | {metric.help} |"


def test_every_metric_has_its_row() -> None:
    """With its type, its labels and its help text, as a scrape has them."""
    assert [_row(metric) for metric in METRICS if _row(metric) not in TEXT] == []


def test_every_metric_that_is_named_exists() -> None:
    """In the queries too."""
    known = {metric.name for metric in METRICS} | {"tlsmgr_up", "tlsmgr_build_info"}
    parameters = {"tlsmgr_metrics_address", "tlsmgr_authorized_users"}
    assert set(re.findall(r"tlsmgr_\w+", TEXT)) <= known | parameters
