"""The report: one document with every figure, from which a table is made and all else."""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypedDict

from benchmark.rounds import Outcome
from benchmark.targets import Target, target_of

_HEADINGS = (
    *("workload", "conns", "placement", "a: yardstick", "b: candidate"),
    *("a req/s", "b req/s", "b/a", "a p50 us", "b p50 us", "b/a", "a p99 us", "b p99 us", "target", ""),
)
_SIDES = ("yardstick", "candidate")
_FIGURES = ("rate", "median", "p99")


class Wanted(TypedDict):
    """A target: of which figure, what the ratio must be, and what is aimed for if that is more."""

    figure: str
    must: float
    aim: float | None


class Line(TypedDict):
    """One case. Rates are requests a second, latencies microseconds; None where there is no candidate."""

    workload: str
    connections: int
    placement: str
    yardstick: str
    candidate: str
    ratio: dict[str, float | None]
    medians: dict[str, dict[str, float | None]]
    rounds: list[dict[str, object]]
    target: Wanted | None
    met: str


class Document(TypedDict):
    """All of a run, as the JSON file has it. Memory is in KiB, by moment, server and process."""

    date: str
    command: str
    host: dict[str, object]
    rounds: int
    seconds: float
    cases: list[Line]
    memory_kib: dict[str, dict[str, dict[str, int]]]


Memory = Mapping[str, Mapping[str, Mapping[str, int]]]


def as_document(
    outcomes: Sequence[Outcome],
    memory: Memory,
    *,
    command: str,
    circumstances: Mapping[str, str],
    rounds: int,
    seconds: float,
) -> Document:
    """Return what the JSON file holds: the host, the run, and every round of every case.

    Args:
        outcomes: What was measured.
        memory: In KiB, by moment, server and process.
        command: How to measure it again.
        circumstances: ``postfix``, its version, and ``load_before``, the load average of the
            last minute before the run.
        rounds: Measurements of each case.
        seconds: Of each measurement.
    """
    return Document(
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        command=command,
        host={
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            **circumstances,
        },
        rounds=rounds,
        seconds=seconds,
        cases=[_line(outcome) for outcome in outcomes],
        memory_kib={
            moment: {name: dict(sizes) for name, sizes in servers.items()}
            for moment, servers in memory.items()
        },
    )


def as_table(document: Document) -> str:
    """Return the table for a terminal: medians of the rounds, and medians of the rounds' ratios."""
    rows = [_HEADINGS, *(_row(line) for line in document["cases"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, "", *memory_lines(document)]) + "\n"


def memory_lines(document: Document) -> list[str]:
    """Return a line for each server and moment: what each of its processes holds, in MiB."""
    return [
        f"resident memory of {server}, {moment}: "
        + ", ".join(f"{name} {size / 1024:.1f} MiB" for name, size in processes.items())
        for moment, servers in document["memory_kib"].items()
        for server, processes in servers.items()
    ]


def target_text(line: Line) -> str:
    """Return a case's target, such as ``rate >= 2 (3)``; empty when it has none."""
    if line["target"] is None:
        return ""
    wanted = line["target"]
    sign = ">=" if wanted["figure"] == "rate" else "<="
    aim = "" if wanted["aim"] is None else f" ({wanted['aim']:g})"
    return f"{wanted['figure']} {sign} {wanted['must']:g}{aim}"


def name(line: Line) -> str:
    """Return what a case asks, in words."""
    names = {
        "lookup": "lookup, 1,000 keys",
        "million": "lookup, 1,000,000 keys",
        "mixed": "90% lookup, 10% update",
        "lookup, rpc": "lookup, RPC against attributes",
        "update, at a limit": "update, cache full: against one with room",
        "lookup, shared": "lookup, redis: against diskcache:",
    }
    return names.get(line["workload"], line["workload"])


def whole(figure: float | None) -> str:
    """Return a figure without its fraction, a dash for none."""
    return "-" if figure is None else f"{figure:,.0f}"


def ratio(figure: float | None) -> str:
    """Return a ratio with two digits behind the point, a dash for none."""
    return "-" if figure is None else f"{figure:.2f}"


def _row(line: Line) -> tuple[str, ...]:
    rates, medians, p99s = ([whole(line["medians"][side][name]) for side in _SIDES] for name in _FIGURES)
    return (
        *(
            line["workload"],
            str(line["connections"]),
            line["placement"],
            line["yardstick"],
            line["candidate"],
        ),
        *(*rates, ratio(line["ratio"]["rate"])),
        *(*medians, ratio(line["ratio"]["median"])),
        *p99s,
        *(target_text(line), line["met"]),
    )


def _line(outcome: Outcome) -> Line:
    case = outcome.case
    target = target_of(case.workload, case.connections, case.placement)
    return Line(
        workload=case.workload,
        connections=case.connections,
        placement=case.placement.value,
        yardstick=case.yardstick.label,
        candidate="-" if case.candidate is None else case.candidate.label,
        ratio={name: outcome.ratio(name) for name in _FIGURES},
        medians={side: {name: outcome.figure(name, of=side) for name in _FIGURES} for side in _SIDES},
        rounds=[asdict(pair) for pair in outcome.rounds],
        target=Wanted(figure=target.figure, must=target.must, aim=target.aim) if target else None,
        met=_verdict(outcome, target),
    )


def _verdict(outcome: Outcome, target: Target | None) -> str:
    reached = outcome.ratio(target.figure) if target else None
    if target is None or reached is None:
        return ""
    if target.is_aimed_by(reached):
        return "aim met" if target.aim is not None else "met"
    return "met" if target.is_met_by(reached) else "missed"
