"""Debian's own tlsmgr under a master of its own, as the yardstick for ours."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from rehearsal.private_postfix import COMMAND_SECONDS, TLSMGR_SERVICE, PrivatePostfix
from rehearsal.programs import program


class DebianTlsmgr(PrivatePostfix):
    """The real tlsmgr(8) on ``path``, and no other service; ``parameters`` are main.cf's.

    The master listens on ``path`` once the instance is started, and starts tlsmgr itself
    for the first client.
    """

    def __init__(self, directory: Path, *, parameters: Mapping[str, str]) -> None:
        super().__init__(directory, parameters=parameters, services=[TLSMGR_SERVICE])

    @property
    def path(self) -> Path:
        """The UNIX socket where it speaks the attribute protocol."""
        return self.socket_path("tlsmgr")


def installed_version() -> str:
    """Return the version of the Postfix that is installed, such as ``3.7.11``."""
    done = subprocess.run(  # noqa: S603 - the command is this module's own
        [str(program("postconf")), "-d", "-h", "mail_version"],
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    return done.stdout.strip()
