"""Measure Debian's own tlsmgr and ours side by side, and print a table."""

import json
import os
import shlex
import signal
import subprocess
import sys

from benchmark import chart, markdown, report
from benchmark.load import LoadError
from benchmark.needs import missing
from benchmark.options import LIMIT, MANY, SHARED, Options, parsed
from benchmark.stages import Run
from rehearsal.directories import traversable_directory
from rehearsal.programs import program

_EXIT_HOST_LACKS_SOMETHING = 71
_POSTCONF_SECONDS = 20


def main() -> int:
    """Run the benchmark; return 0, 1 when it failed, 71 when the host lacks what it needs."""
    options = parsed(sys.argv[1:])
    lacking = missing(shared=SHARED in options.only)
    if lacking:
        sys.stderr.write("scripts/bench: this is missing:\n" + "".join(f"  {line}\n" for line in lacking))
        return _EXIT_HOST_LACKS_SOMETHING
    # A benchmark that is told to stop leaves no Postfix behind.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        _publish(options, _measured(options))
    except (LoadError, AssertionError, markdown.MarkError) as error:
        sys.stderr.write(f"scripts/bench: {error}\n")
        return 1
    return 0


def _measured(options: Options) -> report.Document:
    load_before = f"{os.getloadavg()[0]:.1f}"
    with traversable_directory("tlsb") as programs:
        run = Run(options=options, programs=programs, say=_say)
        if options.only - {LIMIT, MANY, SHARED}:
            run.few_sessions()
        if LIMIT in options.only:
            run.at_a_limit()
        if SHARED in options.only:
            run.shared_sessions()
        if MANY in options.only:
            run.many_sessions()
    return report.as_document(
        run.outcomes,
        run.memory,
        command=shlex.join(["scripts/bench", *sys.argv[1:]]),
        circumstances={"postfix": _postfix_version(), "load_before": load_before},
        rounds=options.rounds,
        seconds=options.seconds,
    )


def _publish(options: Options, document: report.Document) -> None:
    sys.stdout.write(report.as_table(document))
    if options.json is not None:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.markdown is not None:
        markdown.insert(document, options.markdown)
    if options.svg is not None:
        options.svg.write_text(chart.as_svg(document))


def _postfix_version() -> str:
    command = [str(program("postconf")), "-d", "-h", "mail_version"]
    done = subprocess.run(  # noqa: S603 - the command is this module's own
        command, capture_output=True, text=True, timeout=_POSTCONF_SECONDS, check=True
    )
    return done.stdout.strip()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
