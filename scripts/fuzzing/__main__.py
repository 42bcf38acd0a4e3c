"""Fuzz both codecs and the reader of main.cf, guided by coverage, with atheris.

May be run in pieces: the corpus and the count of inputs are kept below var/fuzz/, and each
piece goes on from there. What shows a defect is put into tests/vectors/fuzz/TARGET/, which the
tests replay. The exit code is 0 when nothing was found, 1 when something was.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzzing.properties import TARGETS
from fuzzing.seeds import FINDINGS, seeds
from rehearsal.checkout import CHECKOUT
from rehearsal.results import circumstances, publish

_FOLDER = CHECKOUT / "var" / "fuzz"
_INPUTS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERAGE = re.compile(r"\bcov: (\d+) ft: (\d+) corp: (\d+)")
_OUTPUT_TAIL = 3000


@dataclass(slots=True, kw_only=True)
class Progress:
    """What has been done for one target, over all pieces.

    Attributes:
        inputs: How many were tried.
        coverage: Counters of the code that were reached, as libFuzzer has them.
        corpus: Inputs kept, as each reached something new.
        findings: How many showed a defect.
        seconds: How long it took.
        date: Of the last piece.
    """

    inputs: int = 0
    coverage: int = 0
    corpus: int = 0
    findings: int = 0
    seconds: float = 0.0
    date: str = "never"


def main() -> int:
    """Fuzz; return 0, or 1 when a defect was found."""
    options = _options()
    progress = _load()
    found = False
    for target in options.target or TARGETS:
        found |= _piece(target, progress.setdefault(target, Progress()), options)
        _FOLDER.joinpath("progress.json").write_text(
            json.dumps({name: asdict(each) for name, each in progress.items()}, indent=1) + "\n"
        )
    sys.stdout.write(_markdown(progress) + "\n")
    if options.publish:
        publish("fuzz", f"{circumstances('scripts/fuzz-wire')}\n\n{_markdown(progress)}")
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz-wire", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "target", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS)
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--inputs", type=int, default=-1, help="for each target at most (default: no limit)")
    parser.add_argument("--publish", action="store_true", help="put the sums into docs/reliability.md")
    return parser.parse_args()


def _load() -> dict[str, Progress]:
    path = _FOLDER / "progress.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    return {name: Progress(**each) for name, each in stored.items()}


def _piece(target: str, progress: Progress, options: argparse.Namespace) -> bool:
    """Fuzz one target for a while, add it up, and return whether a defect was found."""
    corpus, crashes = _FOLDER / target / "corpus", _FOLDER / target / "crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target):
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    started = time.monotonic()
    output = _fuzz(target, corpus, crashes, options)
    progress.seconds += time.monotonic() - started
    progress.date = time.strftime("%Y-%m-%d", time.gmtime())
    progress.inputs += sum(map(int, _INPUTS.findall(output)))
    if reached := _COVERAGE.findall(output):
        progress.coverage, progress.corpus = int(reached[-1][0]), int(reached[-1][2])
    new = _keep(crashes, FINDINGS / target)
    progress.findings += new
    if new:
        sys.stderr.write(f"{target}: {new} defects\n{output[-_OUTPUT_TAIL:]}\n")
    return new > 0


def _fuzz(target: str, corpus: Path, crashes: Path, options: argparse.Namespace) -> str:
    command = [
        *(sys.executable, "-m", "fuzzing.target", target, str(corpus)),
        *(f"-max_total_time={options.seconds}", f"-runs={options.inputs}", "-max_len=300", "-timeout=10"),
        *("-print_final_stats=1", f"-artifact_prefix={crashes}/"),
    ]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own module
    output = done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")
    if not _INPUTS.search(output) and not any(crashes.iterdir()):
        raise SystemExit(f"scripts/fuzz-wire: the fuzzer did not run:\n{output[-_OUTPUT_TAIL:]}")
    return output


def _keep(crashes: Path, findings: Path) -> int:
    """Move what showed a defect to where the tests find it; return how many there are."""
    paths = list(crashes.iterdir())
    for path in paths:
        findings.mkdir(parents=True, exist_ok=True)
        (findings / path.name).write_bytes(path.read_bytes())
        path.unlink()
    return len(paths)


def _markdown(progress: dict[str, Progress]) -> str:
    rows = [
        f"| {name} | {each.inputs:,} | {each.coverage:,} | {each.corpus:,} | {each.findings} "
        f"| {each.seconds / 60:,.0f} min | {each.date} |"
        for name, each in progress.items()
    ]
    inputs = sum(each.inputs for each in progress.values())
    heading = "| target | inputs | coverage | corpus | findings | time | last run |"
    return "\n".join([heading, "|---|---|---|---|---|---|---|", *rows, "", f"{inputs:,} inputs in all."])


if __name__ == "__main__":
    sys.exit(main())
