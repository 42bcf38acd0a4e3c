"""The verb ``serve``: be one of the three workers."""

import argparse
from functools import partial

from tlsmgr.cli.options import Verbs
from tlsmgr.cli.workers import WORKERS
from tlsmgr.config.maincf import parse_override
from tlsmgr.config.settings import load_settings
from tlsmgr.config.standard_directory import configuration_directory
from tlsmgr.errors import ConfigurationError, ExitCode


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
    parser.add_argument("-n", dest="service_name", metavar="name", help="the service name, for service_name")
    parser.add_argument(
        "-c", dest="chroot", action="store_true", help="chroot to queue_directory once everything is open"
    )
    parser.add_argument("-u", action="store_true", help="give up root's rights: what happens without it too")
    parser.add_argument("-v", dest="verbosity", action="count", default=0, help="log more; repeatable")
    parser.add_argument("-V", dest="logs_to_stderr", action="store_true", help="log to stderr, not to syslog")
    parser.add_argument("-t", dest="transport", type=_transport, metavar="unix", help="the kind of socket")
    parser.add_argument("-D", action=_Refused, nargs=0, help=argparse.SUPPRESS)
    parser.set_defaults(carry_out=_serve)


class _Refused(argparse.Action):
    """-D of master(5): it would start ``debugger_command``, which waits for a terminal."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error(
            "-D: a worker under supervisord has no terminal for a debugger; attach one to its pid instead"
        )


def _transport(text: str) -> str:
    if text != "unix":
        raise argparse.ArgumentTypeError(f"{text!r}: all sockets of tlsmgr are of the type unix")
    return text


def _override(text: str) -> tuple[str, str]:
    try:
        return parse_override(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _serve(options: argparse.Namespace) -> ExitCode:
    # The workers' imports (uvloop, diskcache) would double the time that any other verb takes.
    from tlsmgr.processes import kinds  # noqa: PLC0415
    from tlsmgr.processes.lifecycle import LaunchOptions, run  # noqa: PLC0415

    load = partial(
        load_settings,
        configuration_directory(),
        overrides=options.overrides,
        process_name=options.worker,
        service_name=options.service_name or options.worker,
    )
    launch = LaunchOptions(
        chroot=options.chroot, verbosity=options.verbosity, logs_to_stderr=options.logs_to_stderr
    )
    return run(kinds.KINDS[options.worker], load, launch)
