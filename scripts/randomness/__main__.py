"""Read bytes from the pool, put them through statistical tests, and write a report."""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from randomness.dieharder import PACKAGE, DieharderError, dieharder_tests, installed
from randomness.own_tests import own_tests
from randomness.verdicts import Verdict
from tlsmgr.prng.hmac_drbg import REQUEST_SIZE_MAX
from tlsmgr.prng.pool import Pool

_MEBIBYTE = 1 << 20
#: The own tests hold the sample, and what they count, in memory.
_OWN_MEBIBYTES_MAX = 16
_EXIT_FAILED = 1


def main() -> int:
    """Test a sample; return 1 when a test failed, also when dieharder itself did."""
    options = _options()
    started = time.monotonic()
    command = None if options.own else installed()
    if command is None:
        _say(f"{PACKAGE} is not used (Debian's package {PACKAGE}): only the simple tests")
    sample = _sample(options.mebibytes * _MEBIBYTE)
    try:
        verdicts = _verdicts(sample, command)
    except DieharderError as error:
        _say(str(error))
        return _EXIT_FAILED
    report = _report(verdicts, options.mebibytes, command is not None, time.monotonic() - started)
    if options.output is None:
        sys.stdout.write(report)
    else:
        options.output.write_text(report)
    failed = [verdict for verdict in verdicts if verdict.assessment == "failed"]
    _say(f"{len(verdicts)} tests, {len(failed)} failed")
    return _EXIT_FAILED if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/randomness-report", description=__doc__)
    parser.add_argument("--mebibytes", type=_count, default=256, metavar="N", help="of the sample (256)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the report goes (stdout)")
    parser.add_argument("--own", action="store_true", help=f"the simple tests only, without {PACKAGE}")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:  # noqa: PLR2004 - stands in the message
        raise argparse.ArgumentTypeError("must be a whole number, 1 to 1024")
    return int(text)


def _sample(size: int) -> bytes:
    """Return bytes of a pool as the PRNG server has it, asked for in blocks and seeds."""
    pool = Pool()
    sizes = (32, 255, 1024, 32768, REQUEST_SIZE_MAX)
    sample = bytearray()
    while len(sample) < size:
        for each in sizes:
            sample += pool.generate(each)
    return bytes(sample[:size])


def _verdicts(sample: bytes, command: str | None) -> list[Verdict]:
    verdicts = list(own_tests(sample[: _OWN_MEBIBYTES_MAX * _MEBIBYTE]))
    if command is not None:
        with tempfile.NamedTemporaryFile(prefix="tlsmgr-sample.") as file:
            file.write(sample)
            file.flush()
            verdicts += dieharder_tests(command, Path(file.name))
    return verdicts


def _report(verdicts: Sequence[Verdict], mebibytes: int, with_dieharder: bool, seconds: float) -> str:  # noqa: FBT001 - one caller
    own = min(mebibytes, _OWN_MEBIBYTES_MAX)
    tools = f"Simple tests of {own} MiB" + (f", {PACKAGE} on {mebibytes} MiB" if with_dieharder else "")
    command = shlex.join(["scripts/randomness-report", *sys.argv[1:]])
    lines = [
        "# Randomness",
        "",
        "A smoke alarm, no proof: what a statistical test can find would be a gross defect, and a generator",
        "that is known to an attacker passes them all. The proof is NIST's test vectors, against which the",
        "tests hold the generator, and the kernel's bytes that go into every output.",
        "",
        f"Written {time.strftime('%Y-%m-%d', time.gmtime())} by `{command}`, in {seconds:.0f} s.",
        f"{tools}, from a pool as the PRNG server has it.",
        "One honest test in a hundred is weak; a p-value below 1e-6, or that near to 1, is a failure.",
        "",
        "| test | p-value | | |",
        "|---|---|---|---|",
        *(f"| {each.test} | {each.p_value:.6f} | {each.assessment} | {each.note} |" for each in verdicts),
    ]
    return "\n".join(lines) + "\n"


def _say(line: str) -> None:
    sys.stderr.write(f"scripts/randomness-report: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
