"""scripts/randomness-report: it tests the pool's bytes, and finds what is not random."""

import subprocess
from itertools import cycle, islice
from pathlib import Path
from random import Random

import pytest

from randomness.own_tests import own_tests
from randomness.verdicts import Verdict, chi_square_tail, upper_tail

SCRIPT = Path(__file__).parents[2] / "scripts" / "randomness-report"
SAMPLE_SIZE = 1 << 18


def drawn(size: int) -> bytes:
    """Return the same random bytes at every call."""
    return Random(1).randbytes(size)  # noqa: S311 - a failure must come again


def failed(sample: bytes) -> list[Verdict]:
    """Return the verdicts that say failed."""
    return [verdict for verdict in own_tests(sample) if verdict.assessment == "failed"]


def test_the_shortest_form_writes_a_report(tmp_path: Path) -> None:
    """One MiB passes the simple tests; the report says when and by which command it was made."""
    report = tmp_path / "report.md"
    arguments = ["--own", "--mebibytes", "1", "--output", str(report)]
    done = subprocess.run(  # noqa: S603 - our own script
        [str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"scripts/randomness-report {' '.join(arguments)}" in report.read_text()
    assert report.read_text().count("| passed |") + report.read_text().count("| weak |") == 15


def test_random_bytes_fail_no_test() -> None:
    """The generator of the standard library, with a fixed seed, is random enough."""
    assert failed(drawn(SAMPLE_SIZE)) == []


@pytest.mark.parametrize(
    "sample",
    [
        bytes(SAMPLE_SIZE),
        bytes(islice(cycle(range(256)), SAMPLE_SIZE)),
        drawn(SAMPLE_SIZE // 2) * 2,
        bytes(byte & 0x7F for byte in drawn(SAMPLE_SIZE)),
        bytes(byte for byte in drawn(SAMPLE_SIZE // 2) for _ in range(2)),
    ],
    ids=["zeros", "counter", "repeated half", "a dead bit", "every byte twice"],
)
def test_what_is_not_random_fails(sample: bytes) -> None:
    """Each gross defect is found."""
    assert failed(sample)


@pytest.mark.parametrize(("deviations", "probability"), [(0, 0.5), (1.6449, 0.05), (3.0902, 0.001)])
def test_tails_are_the_tables(deviations: float, probability: float) -> None:
    """The normal distribution's are exact, chi-square's good to a few percent."""
    assert upper_tail(deviations) == pytest.approx(probability, rel=1e-3)
    # Knuth's rule for many degrees of freedom, which is good to second order.
    degrees = 255
    statistic = degrees + (2 * degrees) ** 0.5 * deviations + 2 / 3 * (deviations**2 - 1)
    assert chi_square_tail(statistic, degrees) == pytest.approx(probability, rel=0.05)
