"""Print what happened in the last 24 hours, as text or as a page of HTML."""

import argparse
import socket
import sys
import time
from collections.abc import Iterator

from tlsmgr.config.settings import Settings
from tlsmgr.upkeep.day import make_day
from tlsmgr.upkeep.history import History, take_snapshot
from tlsmgr.upkeep.job import Job, run
from tlsmgr.upkeep.report_forms import as_html, as_text

_DAY_SECONDS = 86400


def _carry_out(settings: Settings, options: argparse.Namespace) -> Iterator[str]:
    now = int(time.time())
    history = History(settings.data_directory)
    snapshot = take_snapshot(settings, now)
    # One from before the day, too: what was counted since then happened in the day.
    snapshots = [*history.load(now - _DAY_SECONDS - 3600), snapshot]
    history.add(snapshot)
    day = make_day(snapshots, begins=now - _DAY_SECONDS, ends=now)
    make = as_html if options.html else as_text
    sys.stdout.write(make(day, socket.gethostname()))
    yield from (f"{worker} does not answer; see: tlsmgr ping" for worker in day.silent)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--html", action="store_true", help="print a page of HTML")


JOB = Job(
    name="daily-report",
    description="Print the last 24 hours in figures and small plots. They come from what export-metrics"
    " and earlier reports have kept, so let cron call export-metrics.",
    carry_out=_carry_out,
    add_options=_add_options,
)

if __name__ == "__main__":
    sys.exit(run(JOB))
