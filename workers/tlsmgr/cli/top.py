"""The verb ``top``: the workers' figures, live."""

import argparse

from tlsmgr.cli.options import Verbs, add_verb, seconds, settings_of
from tlsmgr.errors import ExitCode

_SHORTEST_SECONDS = 0.1


def add_verbs(verbs: Verbs) -> None:
    """Add the verb to the command."""
    top = add_verb(verbs, "top", "Show the workers' figures live; q ends.", _top)
    top.add_argument(
        "--interval",
        type=_interval,
        default=1.0,
        metavar="SECONDS",
        help="between two looks (default: %(default)g)",
    )
    top.add_argument("--once", action="store_true", help="print one screen, after one interval, and end")


def _interval(text: str) -> float:
    interval = seconds(text)
    if interval < _SHORTEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {_SHORTEST_SECONDS} seconds or more")
    return interval


def _top(options: argparse.Namespace) -> ExitCode:
    from tlsmgr.cli.live import show  # noqa: PLC0415 - no other verb is to wait for rich's import

    watched = show.Watched(
        run_directory=settings_of(options).tlsmgr_run_directory,
        name=str(options.config_directory),
        interval=options.interval,
    )
    return show.once(watched) if options.once else show.live(watched)
