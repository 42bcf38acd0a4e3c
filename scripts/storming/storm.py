"""A storm of clients: a C program compiled on the spot, as Python would measure itself."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("storm.c")
_COMPILE_SECONDS = 60
_STORM_SECONDS = 120


class StormError(Exception):
    """There is no compiler, it refuses the program, or the program failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Median, 99th percentile and maximum, in milliseconds."""

    median: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of one storm.

    Attributes:
        errors: Clients that were turned away, cut off, or answered wrongly.
        greeting: From connect() to the server's announcement.
        answer: From a request to its reply.
        seconds: The whole storm.
    """

    errors: int
    greeting: Latency
    answer: Latency
    seconds: float


def compiled(directory: Path) -> Path:
    """Compile the program into ``directory``, and return its path.

    Raises:
        StormError: There is no C compiler (Debian's package gcc), or it refuses the program.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise StormError("cc: not installed (Debian's package gcc)")
    made = directory / "storm"
    _run([compiler, "-O2", "-std=gnu11", "-o", str(made), str(_SOURCE)], _COMPILE_SECONDS)
    return made


def storm(program: Path, socket: Path, *, clients: int, requests: int, milliseconds: int = 0) -> Figures:
    """Send ``clients``, each with so many requests, spread over ``milliseconds``; return what they met.

    Raises:
        StormError: The program failed.
    """
    command = [str(program), str(socket), str(clients), str(requests), str(milliseconds)]
    errors, *times = map(float, _run(command, _STORM_SECONDS).split())
    in_milliseconds = [time / 1000 for time in times]
    return Figures(
        errors=int(errors),
        greeting=_latency(in_milliseconds[0:3]),
        answer=_latency(in_milliseconds[3:6]),
        seconds=in_milliseconds[6] / 1000,
    )


def _latency(figures: list[float]) -> Latency:
    median, p99, worst = figures
    return Latency(median=median, p99=p99, worst=worst)


def _run(command: list[str], seconds: int) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the command is this module's own
            command, capture_output=True, text=True, timeout=seconds, check=True
        )
    except subprocess.CalledProcessError as error:
        raise StormError(f"{command[0]}: {error.stderr}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StormError(f"{command[0]}: {error}") from error
    return done.stdout
