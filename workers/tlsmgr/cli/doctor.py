"""The verb ``doctor``: is everything as it should be, and if not, what is to be done?"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlsmgr.cli.asking import call_for_map, why_silent
from tlsmgr.cli.options import Verbs, add_verb
from tlsmgr.cli.terminal import Painter
from tlsmgr.cli.workers import WORKERS
from tlsmgr.client import Client
from tlsmgr.config.configuration import load_configuration
from tlsmgr.config.settings import Settings, make_settings, process_values
from tlsmgr.doctor.findings import Finding, Outcome, failed, ok, warning
from tlsmgr.errors import ConfigurationError, ExitCode, ProtocolError, ServerUnavailableError

_TIMEOUT_SECONDS = 2.0
_MARKS = {
    Outcome.OK: ("ok", "green"),
    Outcome.SKIPPED: ("skipped", "dim"),
    Outcome.WARNING: ("WARNING", "yellow"),
    Outcome.FAILED: ("FAILED", "red"),
}
_MARK_WIDTH = max(len(mark) for mark, _ in _MARKS.values())


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    text = "Check the workers, the files, Postfix; say what is to be done. Exits with 0 only if all is well."
    doctor = add_verb(verbs, "doctor", text, _doctor)
    doctor.add_argument("--json", action="store_true", help="print one JSON object a line")
    doctor.add_argument(
        "-s",
        "--supervisor",
        type=Path,
        metavar="FILE",
        help="the supervisord.conf of the supervisord to ask (default: that of scripts/run, or the host's)",
    )
    doctor.add_argument("-q", "--quiet", action="store_true", help="leave out what is well")


def _doctor(options: argparse.Namespace) -> ExitCode:
    show = _print_json if options.json else _print_text
    is_well = True
    for finding in _findings(options.config_directory, options.supervisor):
        is_well = is_well and finding.is_well
        if not (options.quiet and finding.is_well):
            show(finding)
    return ExitCode.OK if is_well else ExitCode.NOT_DONE


def _findings(directory: Path, supervisor: Path | None) -> Iterator[Finding]:
    # Its imports (diskcache) take longer than all else; only this verb needs them.
    from tlsmgr.doctor.examination import examine  # noqa: PLC0415
    from tlsmgr.doctor.supervision import supervision_of  # noqa: PLC0415
    from tlsmgr.doctor.surroundings import Surroundings, postfix_of  # noqa: PLC0415

    try:
        configuration = load_configuration(directory, process_values=process_values(process_name="tlsmgr"))
        settings = make_settings(configuration)
    except ConfigurationError as error:
        yield failed("configuration", str(error), "mend that; nothing else was looked at")
        return
    yield from _configuration(settings)
    stats, silent = _ask_all(settings)
    yield from examine(
        Surroundings(
            settings=settings,
            configuration=configuration,
            postconf=postfix_of(directory),
            stats=stats,
            silent=silent,
            now=time.time(),
            supervision=supervision_of(directory, supervisor),
        )
    )


def _configuration(settings: Settings) -> Iterator[Finding]:
    for text in settings.warnings:
        yield warning("configuration", text, "mend that line")
    if not settings.warnings:
        yield ok("configuration", f"{settings.config_directory} can be read")


def _ask_all(settings: Settings) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    stats: dict[str, dict[str, Any]] = {}
    silent: dict[str, str] = {}
    for worker in WORKERS:
        path = settings.tlsmgr_run_directory / f"{worker}.sock"
        try:
            with Client(path, timeout=_TIMEOUT_SECONDS) as client:
                stats[worker] = call_for_map(client, "stats")
        except (ServerUnavailableError, ProtocolError) as error:
            silent[worker] = why_silent(settings.tlsmgr_run_directory, worker, error)
    return stats, silent


def _print_text(finding: Finding) -> None:
    mark, style = _MARKS[finding.outcome]
    advice = f" -> {finding.advice}" if finding.advice else ""
    painted = Painter(sys.stdout).paint(mark.ljust(_MARK_WIDTH), style)
    sys.stdout.write(f"{painted}  {finding.name}: {finding.text}{advice}\n")


def _print_json(finding: Finding) -> None:
    line = {
        "name": finding.name,
        "outcome": finding.outcome.value,
        "text": finding.text,
        "advice": finding.advice,
    }
    sys.stdout.write(json.dumps(line) + "\n")
