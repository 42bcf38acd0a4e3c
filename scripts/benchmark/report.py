"""The report: a table for people, JSON for programs."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from benchmark.rounds import Outcome
from benchmark.workloads import Protocol

_HEADINGS = (
    "workload",
    "conns",
    "a: yardstick",
    "b: candidate",
    *("a req/s", "b req/s", "b/a"),
    *("a p50 us", "b p50 us", "b/a"),
    *("a p99 us", "b p99 us"),
)
_SIDES = ("yardstick", "candidate")
_FIGURES = ("rate", "median", "p99")


def as_table(outcomes: Sequence[Outcome], memory: Mapping[str, Mapping[str, int]]) -> str:
    """Return the table: medians of the rounds, and medians of the rounds' ratios.

    Args:
        outcomes: What was measured.
        memory: For each server, the resident memory of its processes in KiB.
    """
    rows = [_HEADINGS, *map(_row, outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.append("")
    for server, processes in memory.items():
        shares = ", ".join(f"{name} {size / 1024:.1f} MiB" for name, size in processes.items())
        lines.append(f"resident memory of {server}: {shares}")
    return "\n".join(lines) + "\n"


def as_document(
    outcomes: Sequence[Outcome], memory: Mapping[str, Mapping[str, int]], *, rounds: int, seconds: float
) -> dict[str, object]:
    """Return what the JSON file holds: the host, the run, and every round of every case."""
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "rounds": rounds,
        "seconds": seconds,
        "cases": [_plain(outcome) for outcome in outcomes],
        "memory_kib": {server: dict(processes) for server, processes in memory.items()},
    }


def _row(outcome: Outcome) -> tuple[str, ...]:
    rates, medians, p99s = ([_whole(outcome.figure(name, of=side)) for side in _SIDES] for name in _FIGURES)
    return (
        outcome.case.workload.name,
        str(outcome.case.connections),
        *(_label(outcome, side) for side in _SIDES),
        *rates,
        _ratio(outcome.ratio("rate")),
        *medians,
        _ratio(outcome.ratio("median")),
        *p99s,
    )


def _label(outcome: Outcome, of: str) -> str:
    side = getattr(outcome.case, of)
    if side is None:
        return "-"
    server, protocol = side
    return f"{server.name}, rpc" if protocol is Protocol.RPC else str(server.name)


def _whole(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,.0f}"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _plain(outcome: Outcome) -> dict[str, object]:
    case = outcome.case
    return {
        "workload": case.workload.name,
        "connections": case.connections,
        "yardstick": _label(outcome, "yardstick"),
        "candidate": _label(outcome, "candidate"),
        "ratio": {name: outcome.ratio(name) for name in _FIGURES},
        "medians": {side: {name: outcome.figure(name, of=side) for name in _FIGURES} for side in _SIDES},
        "rounds": [asdict(pair) for pair in outcome.rounds],
    }
