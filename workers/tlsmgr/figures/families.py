"""From the workers' ``stats`` to metrics with their samples."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

from tlsmgr.figures.catalog import METRICS, SOURCE_STATES
from tlsmgr.figures.metric import ANY_WORKER, Kind, Metric

Labels: TypeAlias = Mapping[str, str]
#: The answers to ``stats`` by worker; None for one that did not answer.
AllStats: TypeAlias = Mapping[str, Mapping[str, object] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value; ``name`` is the metric's, with ``_bucket``, ``_sum`` or ``_count`` for a histogram."""

    name: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric and its samples. ``kind`` is Prometheus's word for its type."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


def families(stats: AllStats, *, cache: str | None = None) -> list[Family]:
    """Return every metric that has samples, and who answers, in the order of the catalog.

    Args:
        stats: what the workers said.
        cache: return what is of this cache only.
    """
    found = [*_presence(stats), *(_family(metric, stats) for metric in METRICS)]
    if cache is not None:
        found = [_of_cache(family, cache) for family in found]
    return [family for family in found if family.samples]


def number(value: object) -> float | None:
    """Return what is a finite number in ``stats``, or a truth value; None for anything else."""
    return value if isinstance(value, int | float) and isfinite(value) else None


def _presence(stats: AllStats) -> Iterator[Family]:
    up = [
        Sample(name="tlsmgr_up", labels={"worker": worker}, value=figures is not None)
        for worker, figures in stats.items()
    ]
    yield Family(name="tlsmgr_up", kind="gauge", help="Whether the worker answers.", samples=tuple(up))
    builds = [
        Sample(
            name="tlsmgr_build_info",
            labels={"worker": worker, "version": str(figures.get("version", ""))},
            value=1,
        )
        for worker, figures in stats.items()
        if figures is not None
    ]
    text = "Always 1; the labels tell the worker's version."
    yield Family(name="tlsmgr_build_info", kind="gauge", help=text, samples=tuple(builds))


def _family(metric: Metric, stats: AllStats) -> Family:
    samples: list[Sample] = []
    for worker, figures in stats.items():
        if figures is None or metric.worker not in {ANY_WORKER, worker}:
            continue
        own: Labels = {"worker": worker} if metric.worker == ANY_WORKER else {}
        for labels, value in _found(figures, metric.place.split("."), own):
            samples += _samples(metric, labels, value)
    kind = "gauge" if metric.kind is Kind.STATE else metric.kind.value
    return Family(name=metric.name, kind=kind, help=metric.help, samples=tuple(samples))


def _found(value: object, way: list[str], labels: Labels) -> Iterator[tuple[Labels, object]]:
    if not way:
        yield labels, value
    elif isinstance(value, Mapping):
        step, rest = way[0], way[1:]
        if step.startswith("{"):
            for key, below in value.items():
                yield from _found(below, rest, {**labels, step[1:-1]: str(key)})
        elif step in value:
            yield from _found(value[step], rest, labels)


def _samples(metric: Metric, labels: Labels, value: object) -> Iterable[Sample]:
    if metric.kind is Kind.STATE:
        for state in SOURCE_STATES:
            yield Sample(name=metric.name, labels={**labels, "state": state}, value=state == value)
    elif metric.kind is Kind.HISTOGRAM:
        if isinstance(value, Mapping):
            yield from _buckets(metric.name, labels, value)
    elif (plain := number(value)) is not None:
        yield Sample(name=metric.name, labels=labels, value=plain)


def _buckets(name: str, labels: Labels, value: Mapping[str, object]) -> Iterator[Sample]:
    bounds, counts, total = value.get("bounds"), value.get("counts"), number(value.get("sum"))
    if not isinstance(bounds, list | tuple) or not isinstance(counts, list | tuple) or total is None:
        return
    seen = 0.0
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=False):
        seen += count
        yield Sample(name=f"{name}_bucket", labels={**labels, "le": bound}, value=seen)
    yield Sample(name=f"{name}_sum", labels=labels, value=total)
    yield Sample(name=f"{name}_count", labels=labels, value=seen)


def _of_cache(family: Family, cache: str) -> Family:
    samples = tuple(sample for sample in family.samples if sample.labels.get("cache") == cache)
    return Family(name=family.name, kind=family.kind, help=family.help, samples=samples)
