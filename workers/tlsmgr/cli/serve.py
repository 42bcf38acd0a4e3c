"""The verb ``serve``: be one of the three workers."""

import argparse
from functools import partial

from tlsmgr.cli.options import Verbs, configuration_directory
from tlsmgr.cli.workers import WORKERS
from tlsmgr.config.settings import load_settings
from tlsmgr.errors import ExitCode


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    text = "Run one worker in the foreground, as supervisord does. MAIL_CONFIG names the configuration."
    parser: argparse.ArgumentParser = verbs.add_parser("serve", help=text, description=text)
    parser.add_argument("worker", choices=WORKERS, metavar="PROCESS", help=", ".join(WORKERS))
    parser.add_argument(
        "-o",
        dest="overrides",
        action="append",
        default=[],
        type=_override,
        metavar="name=value",
        help="override a parameter of main.cf",
    )
    parser.set_defaults(carry_out=_serve)


def _override(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: expected name=value")
    return name.strip(), value.strip()


def _serve(options: argparse.Namespace) -> ExitCode:
    # The workers' imports (uvloop, diskcache) would double the time that any other verb takes.
    from tlsmgr.processes import kinds  # noqa: PLC0415
    from tlsmgr.processes.lifecycle import run  # noqa: PLC0415

    load = partial(
        load_settings,
        configuration_directory(),
        overrides=options.overrides,
        process_name=options.worker,
        service_name=options.worker,
    )
    return run(kinds.KINDS[options.worker], load)
