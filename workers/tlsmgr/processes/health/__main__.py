"""What supervisord starts as its event listener ``tlsmgr-health``."""

import logging
import os
import sys
from pathlib import Path

from tlsmgr.config.settings import load_settings
from tlsmgr.errors import ExitCode, TlsmgrError
from tlsmgr.processes.health.listener import Listener
from tlsmgr.processes.logs import log_to
from tlsmgr.processes.privileges import become

_WORKERS = ("cache-server", "prng-server", "expiry-sweeper")

_log = logging.getLogger("tlsmgr.health")


def main() -> int:
    """Listen until supervisord ends; return the exit code."""
    # supervisord's log of this process's stderr is what wakes it, so syslog will not do.
    log_to("tlsmgr/health", "mail", to_stderr=True)
    directory = Path(os.environ.get("MAIL_CONFIG") or "/etc/postfix")
    try:
        settings = load_settings(directory)
        become(settings.mail_owner)
        Listener(_WORKERS, lambda: settings.tlsmgr_run_directory).listen()
    except TlsmgrError as error:
        _log.critical("%s", error)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
