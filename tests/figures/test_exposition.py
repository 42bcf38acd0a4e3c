import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.figures.stats import some_stats
from tlsmgr.figures.catalog import METRICS
from tlsmgr.figures.exposition import exposition
from tlsmgr.figures.families import families
from tlsmgr.figures.metric import Kind, Metric


def test_the_official_parser_reads_what_was_meant() -> None:
    """Every sample, with its labels, whatever is in those."""
    found = families(some_stats())
    parsed = list(text_string_to_metric_families(exposition(found)))
    read = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parsed
        for sample in family.samples
    }
    meant = {
        (sample.name, frozenset(sample.labels.items())): float(sample.value)
        for family in found
        for sample in family.samples
    }
    assert read == meant
    assert {family.documentation for family in parsed} == {family.help for family in found}
    assert {family.type for family in parsed} == {"counter", "gauge", "histogram"}


def test_a_worker_that_does_not_answer_is_down_and_has_no_figures() -> None:
    """Nothing is made up for it."""
    samples = [sample for family in families(some_stats()) for sample in family.samples]
    of_it = [sample for sample in samples if sample.labels.get("worker") == "expiry-sweeper"]
    assert [(sample.name, sample.value) for sample in of_it] == [("tlsmgr_up", 0)]


def test_buckets_are_cumulative_and_end_with_all() -> None:
    """As Prometheus has them: le="+Inf" equals the count."""
    found = {family.name: family for family in families(some_stats())}
    buckets = [
        sample for sample in found["tlsmgr_cache_hit_age_seconds"].samples if sample.name.endswith("_bucket")
    ]
    assert [sample.value for sample in buckets] == [0, *[1] * 9, 2]
    assert buckets[-1].labels["le"] == "+Inf"


def test_one_cache_can_be_asked_for() -> None:
    """What is not of a cache is left out then."""
    found = families(some_stats(), cache="smtp")
    assert {sample.labels["cache"] for family in found for sample in family.samples} == {"smtp"}
    assert families(some_stats(), cache="smtpd") == []


def test_the_state_of_the_source_is_1_for_one_state() -> None:
    """So that a query can ask for the state by name."""
    found = {family.name: family for family in families(some_stats())}
    states = {sample.labels["state"]: sample.value for sample in found["tlsmgr_entropy_source_state"].samples}
    assert [state for state, value in states.items() if value] == ["good"]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_named_by_the_rules(metric: Metric) -> None:
    """A counter ends with _total and nothing else does; units are base units; the help is a sentence."""
    assert re.fullmatch(r"tlsmgr_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not re.search(
        r"_(milliseconds|ms|minutes|hours|kilobytes|percent|count|sum|bucket)\b", metric.name
    )
    assert re.fullmatch(r"[A-Z0-9].{15,120}\.", metric.help)


def test_no_name_stands_for_two_metrics() -> None:
    """A name has one type and one help text."""
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
