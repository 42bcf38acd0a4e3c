"""Clients who come back to another host of a farm."""

import shutil
from pathlib import Path

from tests.system.farm.hosts import FarmHost
from tests.system.starttls import Mode

BY_TICKET = [mode for mode in Mode if mode.has_ticket]


def reuses(host: FarmHost, mode: Mode, session: Path) -> bool:
    """Tell whether a host resumes a session; the client keeps it as it was.

    Raises:
        AssertionError: there was no handshake at all.
    """
    copy = session.with_suffix(".copy")
    shutil.copyfile(session, copy)
    return host.handshake(mode, copy).reused
