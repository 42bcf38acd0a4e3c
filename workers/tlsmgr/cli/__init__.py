"""The command ``tlsmgr``: its verbs, and what its exit codes mean (``tlsmgr.errors.ExitCode``)."""

import argparse
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

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
from tlsmgr.errors import ExitCode, TlsmgrError
from tlsmgr.version import __version__

_VERBS = (serve, requests, workers, stats, top, entries, ticket_keys, farm, doctor, configuration, postfix)


class _Parser(argparse.ArgumentParser):
    """Ends with EX_USAGE, as the other exit codes are those of sysexits.h."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n")


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line; the manual and the completions are made from it as well."""
    parser = _Parser(prog="tlsmgr", description="TLS session cache, ticket key and PRNG manager.")
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
    options = make_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # main.cf and cache ids may hold bytes that are no UTF-8; they are printed as they are.
            stream.reconfigure(errors="surrogateescape")
    try:
        return int(options.carry_out(options))
    except TlsmgrError as error:
        sys.stderr.write(f"tlsmgr: {error}\n")
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough; python would complain at exit.
        sys.stderr.close()
        return ExitCode.OK
