"""The verb ``stats``: what the workers counted, for people, for programs, and for Prometheus."""

import argparse
import json
import sys
from collections.abc import Mapping

from tlsmgr.cli.figures_table import tables
from tlsmgr.cli.options import OneOrNone, Verbs, add_verb, cache_type, settings_of
from tlsmgr.cli.workers import WORKERS
from tlsmgr.client import Client
from tlsmgr.config.settings import Settings
from tlsmgr.errors import ExitCode, ProtocolError, ServerUnavailableError
from tlsmgr.figures.exposition import exposition
from tlsmgr.figures.families import families

_TIMEOUT_SECONDS = 2.0
# What says in a line for one cache who counted, and since when.
_IDENTITY = ("status", "name", "pid", "version", "uptime", "counting_since")


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    parser = add_verb(verbs, "stats", "Print what the workers counted since they were started.", _stats)
    parser.add_argument("worker", nargs="*", choices=OneOrNone(WORKERS), metavar="WORKER", default=[])
    parser.add_argument("--cache", type=cache_type, metavar="CACHE", help="only of smtpd, smtp or lmtp")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a line for each worker; ignore members that you do not know",
    )
    form.add_argument("--prometheus", action="store_true", help="the Prometheus text format")


def _stats(options: argparse.Namespace) -> ExitCode:
    cache = options.cache.value if options.cache else None
    settings = settings_of(options)
    stats = {worker: _ask(settings, worker) for worker in options.worker or WORKERS}
    if options.json:
        for figures in stats.values():
            if figures is not None:
                sys.stdout.write(json.dumps(_of_cache(figures, cache) if cache else figures) + "\n")
    elif options.prometheus:
        sys.stdout.write(exposition(families(stats, cache=cache)))
    else:
        for line in tables(stats, cache=cache):
            sys.stdout.write(line + "\n")
    return ExitCode.UNAVAILABLE if None in stats.values() else ExitCode.OK


def _ask(settings: Settings, worker: str) -> Mapping[str, object] | None:
    path = settings.tlsmgr_run_directory / f"{worker}.sock"
    try:
        with Client(path, timeout=_TIMEOUT_SECONDS) as client:
            figures = client.call("stats")
    except ServerUnavailableError as error:
        sys.stderr.write(f"tlsmgr: {worker}: {error}\n")
        return None
    if not isinstance(figures, dict):
        raise ProtocolError(f"{path}: the answer to stats is no map; is it tlsmgr's?")
    return figures


def _of_cache(figures: Mapping[str, object], cache: str) -> Mapping[str, object]:
    caches = figures.get("caches")
    found = {cache: caches[cache]} if isinstance(caches, dict) and cache in caches else {}
    return {**{name: figures[name] for name in _IDENTITY if name in figures}, "caches": found}
