"""The options of scripts/bench."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.placement import Placement
from benchmark.workloads import FEW_KEYS, MANY_KEYS, million, workloads

#: The part that needs servers of its own: lookups among a million sessions.
MANY = million().name
#: Lookups of a cache whose sessions are shared through Redis, against those of one that shares none.
SHARED = "shared"
#: Updates of a cache that holds as many sessions as it may, against those of one with room.
LIMIT = "limit"
#: What can be measured: the workloads by name, and more.
PARTS = (*(workload.name for workload in workloads()), "rpc", "handshakes", "echo", LIMIT, SHARED, MANY)

_DESCRIPTION = """\
Measure Debian's own tlsmgr and ours side by side, and print a table. Each placement puts the
processes where they are for every server alike: "together" all on one processor, "apart" the
server on one and the load on another, "free" where the scheduler likes. Without --placement
one connection is measured together, as its two ends take turns, and more are measured apart."""
# A tlsmgr that syncs a busy disk may need a tenth for its first answer.
_SMOKE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure, how long, and where the results go besides the terminal.

    Attributes:
        only: Of PARTS.
        placement: For every case; None for what is usual.
        seconds: Of each measurement.
        rounds: Measurements of each case.
        keys: Sessions of the cache that is too large for a memory layer.
        json: Gets every figure.
        markdown: The file whose marked part becomes the tables.
        svg: Gets the picture.
    """

    only: frozenset[str]
    placement: Placement | None
    seconds: float
    rounds: int
    keys: int
    json: Path | None
    markdown: Path | None
    svg: Path | None


def parsed(arguments: Sequence[str]) -> Options:
    """Return the options that these arguments give; ends the program where they are wrong."""
    parser = _parser()
    given = parser.parse_args(arguments)
    only = frozenset(given.only.split(",") if given.only else PARTS)
    if unknown := only.difference(PARTS):
        parser.error(f"--only: unknown: {', '.join(sorted(unknown))}")
    return Options(
        only=only,
        placement=Placement(given.placement) if given.placement else None,
        seconds=_SMOKE_SECONDS if given.smoke else given.seconds,
        rounds=1 if given.smoke else given.rounds,
        keys=FEW_KEYS if given.smoke else MANY_KEYS,
        json=given.json,
        markdown=given.markdown,
        svg=given.svg,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=_DESCRIPTION)
    add = parser.add_argument
    add("--only", metavar="PARTS", help=f"comma-separated, of: {', '.join(PARTS)}")
    add("--placement", choices=[placement.value for placement in Placement], help="for every line")
    add("--seconds", type=_positive_number, default=2.0, help="of each measurement (2)")
    add("--rounds", type=_positive_count, default=5, help="5 is the fewest that count (5)")
    add("--json", type=Path, metavar="FILE", help="write every figure there")
    add("--markdown", type=Path, metavar="FILE", help="write the tables into the marked part of that file")
    add("--svg", type=Path, metavar="FILE", help="draw the comparison there")
    add("--smoke", action="store_true", help="one short round, a thousand keys: does it work, not how fast")
    return parser


def _positive_number(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _positive_count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)
