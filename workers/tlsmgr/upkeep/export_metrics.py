"""Write the workers' figures into a file for node_exporter's textfile collector."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ExitCode, HostError
from tlsmgr.upkeep.history import History, replace_file, take_snapshot
from tlsmgr.upkeep.job import Job, run

_COMMAND_SECONDS = 30.0
_MODE = 0o644
_OUTCOME = """\
# HELP tlsmgr_export_success Whether the last export asked all workers with success.
# TYPE tlsmgr_export_success gauge
tlsmgr_export_success {success:d}
# HELP tlsmgr_export_timestamp_seconds When that was, in seconds since 1970.
# TYPE tlsmgr_export_timestamp_seconds gauge
tlsmgr_export_timestamp_seconds {time:d}
"""


def _carry_out(settings: Settings, options: argparse.Namespace) -> Iterator[str]:
    now = int(time.time())
    done = _ask(options.config_directory)
    is_good = done.returncode == ExitCode.OK
    figures = done.stdout if is_good else ""
    # A file that says so: one that stays as it was would look like figures that do not change.
    replace_file(options.output, figures + _OUTCOME.format(success=is_good, time=now), mode=_MODE)
    if not is_good:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        yield f"no figures, only that there are none, in {options.output}: {said[-1]}"
    History(settings.data_directory).add(take_snapshot(settings, now))


def _ask(config_directory: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tlsmgr", "stats", "--prometheus", "-c", str(config_directory)]
    try:
        return subprocess.run(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"cannot run tlsmgr stats: {error}; try it by hand") from error


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "output",
        type=Path,
        metavar="FILE",
        help="the file to replace, such as /var/lib/prometheus/node-exporter/tlsmgr.prom; its directory"
        " must be one that $mail_owner may write to",
    )


JOB = Job(
    name="export-metrics",
    description="Write the workers' figures for node_exporter's textfile collector, and keep some for"
    " daily-report.",
    carry_out=_carry_out,
    add_options=_add_options,
)

if __name__ == "__main__":
    sys.exit(run(JOB))
