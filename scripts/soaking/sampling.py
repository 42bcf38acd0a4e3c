"""What the workers hold, taken every few seconds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal.process_table import descriptors, resident

_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was held at one moment.

    Attributes:
        seconds: Since the start of the load.
        figures: By series, such as ``cache-server memory, MiB``.
    """

    seconds: float
    figures: dict[str, float]


def sample(seconds: float, processes: dict[str, int], data: Path) -> Sample:
    """Take a sample of these processes, by name, and of the databases below ``data``."""
    figures: dict[str, float] = {}
    for name, process in processes.items():
        figures[f"{name} memory, MiB"] = resident(process) / _KIB
        figures[f"{name} descriptors"] = float(descriptors(process))
    figures["databases, MiB"] = _size(data, "*.db")
    figures["write-ahead logs, MiB"] = _size(data, "*.db-wal")
    return Sample(seconds=seconds, figures=figures)


def series(samples: Sequence[Sample]) -> dict[str, list[tuple[float, float]]]:
    """Return each series as its points (seconds, figure)."""
    return {name: [(each.seconds, each.figures[name]) for each in samples] for name in samples[0].figures}


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much the line through the points (least squares) rises from the first to the last."""
    if len(points) < 2:  # noqa: PLR2004 - a line needs two
        return 0.0
    seconds = [second for second, _ in points]
    slope = statistics.linear_regression(seconds, [figure for _, figure in points]).slope
    return slope * (seconds[-1] - seconds[0])


def _size(data: Path, pattern: str) -> float:
    size = sum(path.stat().st_size for path in data.rglob(pattern))
    return size / (_KIB * _KIB)
