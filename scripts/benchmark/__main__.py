"""Measure Debian's own tlsmgr and ours side by side, and print a table."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmark import report
from benchmark.load import LoadError, LoadGenerator, compiled
from benchmark.needs import missing
from benchmark.rounds import Case, Outcome, cases, run
from benchmark.servers import Server, ServerError, debian, echo, ours
from benchmark.workloads import Protocol, Workload, encoded, filling, workloads
from rehearsal.directories import traversable_directory

_SMOKE_SECONDS = 0.2
_EXIT_HOST_LACKS_SOMETHING = 71


def main() -> int:
    """Run the benchmark; return 0, 1 when it failed, 71 when the host lacks what it needs."""
    options = _options()
    lacking = missing()
    if lacking:
        sys.stderr.write("scripts/bench: this is missing:\n" + "".join(f"  {line}\n" for line in lacking))
        return _EXIT_HOST_LACKS_SOMETHING
    # A benchmark that is told to stop leaves no Postfix behind.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        _measure(options)
    except (LoadError, ServerError) as error:
        sys.stderr.write(f"scripts/bench: {error}\n")
        return 1
    return 0


def _options() -> argparse.Namespace:
    names = [workload.name for workload in workloads()]
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", help=f"comma-separated workloads, of: {', '.join(names)}, echo")
    parser.add_argument("--seconds", type=_positive_number, default=2.0, help="of each measurement (2)")
    parser.add_argument("--rounds", type=_positive_count, default=5, help="5 is the fewest that count (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--smoke", action="store_true", help="0.2 s, one round: does it work, not how fast")
    options = parser.parse_args()
    options.only = options.only.split(",") if options.only else [*names, "echo"]
    unknown = set(options.only) - {*names, "echo"}
    if unknown:
        parser.error(f"--only: unknown: {', '.join(sorted(unknown))}")
    if options.smoke:
        options.seconds, options.rounds = _SMOKE_SECONDS, 1
    return options


def _positive_number(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _positive_count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def _measure(options: argparse.Namespace) -> None:
    with ExitStack() as stack:
        directories = [stack.enter_context(traversable_directory("tlsb")) for _ in range(3)]
        load = LoadGenerator(path=compiled("load", directories[0]))
        limit = stack.enter_context(echo(directories[0], compiled("echo", directories[0])))
        servers = (
            stack.enter_context(debian(directories[1])),
            stack.enter_context(ours(directories[2])),
        )
        for server in servers:
            load.send_each(server.path, encoded(filling(), Protocol.ATTRIBUTES))
        chosen = _chosen(options.only, servers, limit)
        outcomes = run(chosen, load, rounds=options.rounds, seconds=options.seconds, say=_say)
        memory = {server.name: server.memory() for server in servers}
    _publish(options, outcomes, memory)


def _chosen(names: Sequence[str], servers: tuple[Server, Server], limit: Server) -> list[Case]:
    wanted = [workload for workload in workloads() if workload.name in names]
    chosen = list(cases(wanted, *servers))
    if "echo" in names:
        policy = next(workload for workload in workloads() if workload.name == "policy")
        answers_only = Workload(name="echo", requests=policy.requests)
        chosen += [
            Case(
                workload=answers_only,
                connections=connections,
                yardstick=(limit, Protocol.ATTRIBUTES),
                candidate=None,
            )
            for connections in answers_only.connections
        ]
    return chosen


def _publish(
    options: argparse.Namespace, outcomes: Sequence[Outcome], memory: dict[str, dict[str, int]]
) -> None:
    sys.stdout.write(report.as_table(outcomes, memory))
    if options.json is not None:
        document = report.as_document(outcomes, memory, rounds=options.rounds, seconds=options.seconds)
        options.json.write_text(json.dumps(document, indent=1) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
