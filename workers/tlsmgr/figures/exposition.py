"""Metrics in the Prometheus text format, version 0.0.4."""

from collections.abc import Iterable

from tlsmgr.figures.families import Family, Sample


def exposition(found: Iterable[Family]) -> str:
    """Return the metrics as a scrape or node_exporter's textfile collector reads them."""
    return "".join(_family(family) for family in found)


def _family(family: Family) -> str:
    head = f"# HELP {family.name} {_escaped(family.help)}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(map(_sample, family.samples))


def _sample(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels.items())
    braces = f"{{{labels}}}" if labels else ""
    return f"{sample.name}{braces} {_number(sample.value)}\n"


def _number(value: float) -> str:
    # Not 1e+06 or True: some readers are simpler than Prometheus's.
    return str(int(value)) if value == int(value) else repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
