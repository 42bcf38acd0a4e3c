"""What supervisord starts as its event listener ``tlsmgr-health``."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tlsmgr.config.settings import load_settings
from tlsmgr.config.standard_directory import configuration_directory
from tlsmgr.errors import ConfigurationError, ExitCode, TlsmgrError
from tlsmgr.processes.health.listener import Listener
from tlsmgr.processes.health.watch import Patience
from tlsmgr.processes.logs import log_to
from tlsmgr.processes.privileges import become

_WORKERS = ("cache-server", "prng-server", "expiry-sweeper")
_KEY_HOLDERS = ("cache-server", "prng-server")
_PATIENCE = Patience()

_log = logging.getLogger("tlsmgr.health")


class RunDirectory:
    """Where the workers' sockets are, by the configuration as it is at each call.

    Root's rights are given up as soon as it says for whom.

    Args:
        directory: The one with main.cf.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last: Path | None = None

    def __call__(self) -> Path | None:
        """Return the directory; the former one while the configuration is bad, None if there is none."""
        try:
            settings = load_settings(self._directory)
            become(settings.mail_owner)
        except ConfigurationError as error:
            _log.error("the workers are watched by the former configuration, if any: %s", error)
        else:
            self._last = settings.tlsmgr_run_directory
        return self._last


def main(arguments: Sequence[str] | None = None) -> int:
    """Listen until supervisord ends; return the exit code."""
    options = _parser().parse_args(arguments)
    # supervisord's log of this process's stderr is what wakes it, so syslog will not do.
    log_to("tlsmgr/health", "mail", to_stderr=True)
    listener = Listener(
        _WORKERS,
        _KEY_HOLDERS,
        RunDirectory(configuration_directory()),
        Patience(answer=options.answer, restart=options.restart),
        standard_input=sys.stdin.fileno(),
        standard_output=sys.stdout.fileno(),
        supervisord=os.getppid(),
    )
    try:
        listener.listen()
    except TlsmgrError as error:
        _log.critical("%s", error)
        return error.exit_code
    except BrokenPipeError:
        _log.info("supervisord has ended")
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tlsmgr.processes.health",
        description="Watch over tlsmgr's workers, as an event listener of supervisord.",
    )
    parser.add_argument(
        "--answer",
        type=float,
        default=_PATIENCE.answer,
        metavar="SECONDS",
        help="how long a worker may be silent before it is restarted (default: %(default)s)",
    )
    parser.add_argument(
        "--restart",
        type=float,
        default=_PATIENCE.restart,
        metavar="SECONDS",
        help="the shortest time from one restart of a worker to the next (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
