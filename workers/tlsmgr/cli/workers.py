"""The verbs that speak to the workers themselves: ping, sweep, revoke."""

import argparse
import sys

from tlsmgr.cli.asking import why_silent
from tlsmgr.cli.options import OneOrNone, Verbs, add_verb, settings_of
from tlsmgr.client import Client
from tlsmgr.errors import ExitCode, ProtocolError, ServerUnavailableError

#: The processes of the group, as everywhere: in supervisord.conf, in ``serve``, as socket names.
WORKERS = ("cache-server", "prng-server", "expiry-sweeper")

# Removing from a full cache takes its time.
_REMOVAL_TIMEOUT_SECONDS = 3600.0
_PING_TIMEOUT_SECONDS = 2.0


def add_verbs(verbs: Verbs) -> None:
    """Add these verbs to the command."""
    ping = add_verb(verbs, "ping", "Say whether the workers answer.", _ping)
    ping.add_argument("worker", nargs="*", choices=OneOrNone(WORKERS), metavar="WORKER", default=[])
    ping.add_argument("-q", "--quiet", action="store_true", help="say it with the exit code only")
    add_verb(verbs, "sweep", "Remove all expired sessions now.", _sweep)
    add_verb(
        verbs,
        "revoke",
        "Drop all ticket keys and all sessions, and say for how long old tickets may still be accepted.",
        _revoke,
    )


def _call(options: argparse.Namespace, worker: str, method: str, timeout: float) -> object:
    with Client(settings_of(options).tlsmgr_run_directory / f"{worker}.sock", timeout=timeout) as client:
        return client.call(method)


def _ping(options: argparse.Namespace) -> ExitCode:
    outcome = ExitCode.OK
    for worker in options.worker or WORKERS:
        try:
            _call(options, worker, "ping", _PING_TIMEOUT_SECONDS)
        except ServerUnavailableError as error:
            outcome = ExitCode.UNAVAILABLE
            reason = why_silent(settings_of(options).tlsmgr_run_directory, worker, error)
            line = f"{worker}: {reason}\n"
        else:
            line = f"{worker}: answers\n"
        if not options.quiet:
            sys.stdout.write(line)
    return outcome


def _sweep(options: argparse.Namespace) -> ExitCode:
    result = _call(options, "expiry-sweeper", "sweep", _REMOVAL_TIMEOUT_SECONDS)
    if not isinstance(result, dict):
        raise ProtocolError("the expiry sweeper sent no map")
    for cache, done in result["caches"].items():
        sys.stdout.write(
            f"cache {cache} full cleanup: retained={done['retained']} dropped={done['dropped']} entries\n"
        )
    for cache, reason in result["failures"].items():
        sys.stderr.write(f"tlsmgr: cache {cache} was not swept: {reason}\n")
    return ExitCode.NOT_DONE if result["failures"] else ExitCode.OK


def _revoke(options: argparse.Namespace) -> ExitCode:
    result = _call(options, "cache-server", "revoke", _REMOVAL_TIMEOUT_SECONDS)
    if not isinstance(result, dict):
        raise ProtocolError("the cache server sent no map")
    sys.stdout.write("ticket keys: the former ones are dropped\n")
    sys.stdout.write(f"sessions: {_fate_of_sessions(result)}\n")
    if result.get("set_aside_removed"):
        sys.stdout.write(f"stores set aside as damaged: {result['set_aside_removed']} are removed\n")
    sys.stdout.write(
        f"running smtpd processes may accept old tickets for {result['ticket_seconds']} s more;"
        " postfix reload ends them when their mail sessions end\n"
    )
    if advice := result.get("farm"):
        sys.stdout.write(f"{advice}\n")
    for cache, reason in result["failures"].items():
        sys.stderr.write(f"tlsmgr: {_of_whom(cache)} may come back with a restart: {reason}\n")
    return ExitCode.NOT_DONE if result["failures"] else ExitCode.OK


def _of_whom(place: str) -> str:
    if place.startswith("ticket keys"):
        return place
    return f"sessions in {place}" if place.startswith("shared store") else f"sessions of cache {place}"


def _fate_of_sessions(result: dict[str, object]) -> str:
    if result["sealing_key_renewed"]:
        return "none can be opened any more, wherever a copy is: both workers have a new sealing key"
    if result["failures"]:
        return "none is found until the next restart"
    return (
        "all are removed; copies of the disk can be opened with the former sealing key: if it is in"
        " tlsmgr_sealing_key_file, make a new file, and restart the workers"
    )
