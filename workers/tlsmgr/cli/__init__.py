"""The command ``tlsmgr``: its verbs, and what its exit codes mean (``tlsmgr.errors.ExitCode``)."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tlsmgr.cli import (
    configuration,
    doctor,
    entries,
    farm,
    postfix,
    requests,
    serve,
    stats,
    ticket_keys,
    top,
    workers,
)
from tlsmgr.errors import ExitCode, ServerUnavailableError, TlsmgrError
from tlsmgr.standard_streams import abandon_output, prepare, reason
from tlsmgr.version import __version__

_VERBS = (serve, requests, workers, stats, top, entries, ticket_keys, farm, doctor, configuration, postfix)


class _Parser(argparse.ArgumentParser):
    """Ends with EX_USAGE, as the other exit codes are those of sysexits.h."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:  # noqa: ANN401 - argparse's own signature
        """Take the words behind an option, too, which argparse leaves over: farm import -c DIR FILE."""
        found, rest = super().parse_known_args(args, namespace)
        if any(action.dest == "words" for action in self._actions):
            found.words += [each for each in rest if not each.startswith("-")]
            rest = [each for each in rest if each.startswith("-")]
        return found, rest


class _Misplaced(argparse.Action):
    """-c DIR before the verb, as some of Postfix's commands have it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error("-c DIR stands behind the verb, as in: tlsmgr ping -c DIR")


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line; the manual and the completions are made from it as well."""
    parser = _Parser(prog="tlsmgr", description="TLS session cache, ticket key and PRNG manager.")
    parser.add_argument("-c", action=_Misplaced, help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"tlsmgr {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in _VERBS:
        module.add_verbs(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one verb; return the exit code.

    Args:
        arguments: What follows the command's name; by default this process's.
    """
    # main.cf and cache ids may hold bytes that are no UTF-8; they are printed as they are.
    prepare("surrogateescape")
    options = make_parser().parse_args(arguments)
    try:
        code = int(options.carry_out(options))
        sys.stdout.flush()
    except TlsmgrError as error:
        advice = "; see: tlsmgr doctor" if isinstance(error, ServerUnavailableError) else ""
        sys.stderr.write(f"tlsmgr: {error}{advice}\n")
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        abandon_output()
        return ExitCode.OK
    except OSError as error:
        abandon_output()
        sys.stderr.write(f"tlsmgr: {reason(error)}\n")
        return ExitCode.HOST
    return code
