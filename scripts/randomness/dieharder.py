"""Robert G. Brown's dieharder, where it is installed: the tests of it that take seconds."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from randomness.verdicts import Verdict

PACKAGE = "dieharder"
#: Tests by their numbers: birthdays, OPERM5, both ranks, count the ones (both), runs, craps,
#: STS monobit and runs, and byte distribution; what dieharder itself calls suspect is not among them.
_TESTS = (0, 1, 2, 3, 8, 9, 15, 16, 100, 101, 205)
_RAW_FILE = "201"
_SECONDS = 120
_LINE = re.compile(r"^ *(\w+)\| *(\d+)\| *\d+\| *\d+\|([0-9.]+)\|", re.MULTILINE)
_REWOUND = re.compile(r"was rewound (\d+) times")


class DieharderError(Exception):
    """It failed, or took too long."""


def installed() -> str | None:
    """Return the path of the command, or None."""
    return shutil.which(PACKAGE)


def dieharder_tests(command: str, sample: Path) -> Iterator[Verdict]:
    """Yield the verdicts on the bytes in a file.

    Raises:
        DieharderError: A test did not end, or not well.
    """
    for number in _TESTS:
        yield from _verdicts(_output(command, number, sample))


def _output(command: str, number: int, sample: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a command of the host, with fixed arguments
            [command, "-g", _RAW_FILE, "-f", str(sample), "-d", str(number)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DieharderError(f"{command}: test {number}: {error}") from error
    return done.stdout


def _verdicts(output: str) -> Iterator[Verdict]:
    rewound = _REWOUND.search(output)
    note = f"the sample was read {int(rewound[1]) + 1} times" if rewound and rewound[1] != "0" else ""
    found = _LINE.findall(output)
    if not found:
        raise DieharderError(f"dieharder printed no result: {output[-200:]!r}")
    for name, tuple_size, p_value in found:
        yield Verdict(test=f"{name} {tuple_size}", p_value=float(p_value), note=note)
