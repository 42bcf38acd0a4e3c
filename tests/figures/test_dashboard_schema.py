"""The dashboard is of the form that Grafana publishes (kinds/dashboard there), and its queries are PromQL."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from rehearsal.checkout import CHECKOUT

_TEXT = Path(CHECKOUT, "docs", "grafana-dashboard.json").read_text()
DASHBOARD: Mapping[str, Any] = json.loads(_TEXT)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: Of Grafana's own, by their ids.
_PANEL_TYPES = {"timeseries", "stat", "row"}
_UNITS = {"none", "short", "s", "bytes", "percentunit", "ops", "reqps", "cps", "dateTimeFromNow"}
_VARIABLES_OF_GRAFANA = {"__rate_interval", "__range"}
#: The latest version of the classic schema at the time; Grafana brings older ones up to date.
_SCHEMA_VERSIONS = range(36, 43)


def test_the_dashboard_has_what_grafana_asks_for() -> None:
    """Its id has 8 to 40 characters, and its version of the schema is one that there is."""
    assert 8 <= len(DASHBOARD["uid"]) <= 40
    assert DASHBOARD["schemaVersion"] in _SCHEMA_VERSIONS
    assert DASHBOARD["graphTooltip"] in {0, 1, 2}
    assert DASHBOARD["timezone"] == "browser"
    assert re.fullmatch(r"\d+[smhd]", DASHBOARD["refresh"])
    assert DASHBOARD["time"].keys() == {"from", "to"}
    # Of one Grafana alone: an import makes its own.
    assert "id" not in DASHBOARD


def test_variables_are_of_known_types_and_the_first_chooses_the_data_source() -> None:
    """The others are asked of that one."""
    source, *others = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    for variable in others:
        assert variable["type"] == "query"
        assert variable["datasource"] == _SOURCE
        assert variable["refresh"] in {0, 1, 2}
        assert variable.get("hide", 0) in {0, 1, 2}


def test_every_variable_that_is_used_is_there() -> None:
    """Of the dashboard's own, or one that Grafana gives."""
    used = set(re.findall(r"\$\{?(\w+)", _TEXT))
    own = {variable["name"] for variable in DASHBOARD["templating"]["list"]}

    assert used <= own | _VARIABLES_OF_GRAFANA
    assert own <= used


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_a_panel_is_of_a_known_type_and_lies_in_the_grid(panel: Mapping[str, Any]) -> None:
    """24 columns wide; a row has no queries, any other panel has some, and a unit that there is."""
    place = panel["gridPos"]
    assert panel["type"] in _PANEL_TYPES
    assert all(isinstance(place[side], int) for side in "xywh")
    assert 0 <= place["x"] < place["x"] + place["w"] <= 24
    assert place["h"] > 0 <= place["y"]
    if panel["type"] == "row":
        assert (panel["collapsed"], panel["panels"], place["w"]) == (False, [], 24)
        return
    assert panel["datasource"] == _SOURCE
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in _UNITS
    assert panel["fieldConfig"].keys() == {"defaults", "overrides"}
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references)) > 0
    assert all(target["datasource"] == _SOURCE for target in panel["targets"])


@pytest.mark.parametrize("query", sorted({target["expr"] for panel in PANELS for target in panel["targets"]}))
def test_a_query_is_promql(query: str) -> None:
    """By a parser of the language, with Grafana's variables replaced as Grafana does it."""
    promql_parser.parse(re.sub(r"\$__\w+", "5m", query).replace("$instance", ".*"))


@pytest.mark.parametrize("query", ["rate(tlsmgr_up)", "sum by (x (tlsmgr_up)", "tlsmgr_up{"])
def test_the_parser_refuses_what_is_none(query: str) -> None:
    """Or the test above would show nothing."""
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(query)
