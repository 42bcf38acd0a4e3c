"""Restart the three workers one at a time through supervisorctl; no session or ticket key is lost.

Nothing is begun unless all three answer, and each next one is restarted only when the one before
answers and has the sealing key again: cache-server and prng-server have it from each other. A worker
that does not come back ends this, and the others go on as they are.

MAIL_CONFIG names the directory with main.cf, as for supervisorctl. Without it, the workers are those
of scripts/run without it; with --supervisor, those that read /etc/postfix.

exit codes: 0 done; 64 wrong arguments; 69 a worker does not answer, or not any more, or supervisorctl
fails; 78 bad configuration
"""

import argparse
import os
import sys
from pathlib import Path

from restarting.one_worker import NotRestartedError, Supervised
from tlsmgr.config.settings import load_settings
from tlsmgr.config.standard_directory import configuration_directory
from tlsmgr.errors import ExitCode, TlsmgrError
from tlsmgr.standard_streams import abandon_output, prepare

_CHECKOUT = Path(__file__).resolve().parents[2]
_SANDBOX = _CHECKOUT / "var/sandbox/etc"
# The one that a sealing key is first asked of comes first.
_ORDER = ("prng-server", "cache-server", "expiry-sweeper")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # it does not return either
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n")


def main() -> int:
    """Restart them; return the exit code."""
    prepare("backslashreplace")
    options = _options()
    if options.supervisor is None:
        os.environ.setdefault("MAIL_CONFIG", str(_SANDBOX))
    directory = configuration_directory().absolute()
    os.environ["MAIL_CONFIG"] = str(directory)  # for supervisorctl, which finds its socket by that
    configuration = options.supervisor or _CHECKOUT / "supervisord.conf"
    try:
        run_directory = load_settings(directory).tlsmgr_run_directory
        workers = [Supervised(name, run_directory, configuration, options.timeout) for name in _ORDER]
        for worker in workers:
            worker.await_ready()
        for worker in workers:
            seconds = worker.restart()
            _say(f"{worker.name}: restarted, answers after {seconds:.1f} s")
    except NotRestartedError as error:
        sys.stderr.write(f"scripts/rolling-restart: {error}\n")
        return ExitCode.UNAVAILABLE
    except TlsmgrError as error:
        sys.stderr.write(f"scripts/rolling-restart: {error}\n")
        return error.exit_code
    return ExitCode.OK


def _say(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        # Whether somebody reads it or not: all three are restarted, or none.
        abandon_output()


def _options() -> argparse.Namespace:
    parser = _Parser(
        prog="scripts/rolling-restart",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-s",
        "--supervisor",
        type=Path,
        metavar="FILE",
        help="the supervisord.conf of the supervisord that runs them (default: that of scripts/run)",
    )
    parser.add_argument(
        "-t",
        "--timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for each worker (default: %(default)s)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
