"""What a worker says of itself when it is asked."""

import os
import time
from collections.abc import Mapping

from tlsmgr.errors import Status
from tlsmgr.version import __version__


class Identity:
    """Answers ``ping``, and heads ``stats``.

    Args:
        name: The worker's name, such as ``cache-server``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._started = time.monotonic()
        self._counting_since = int(time.time())

    def ping(self) -> Mapping[str, object]:
        """Return who answers: name, pid, version, seconds since its start."""
        return {
            "status": int(Status.OK),
            "name": self._name,
            "pid": os.getpid(),
            "version": __version__,
            "uptime": round(time.monotonic() - self._started, 3),
        }

    def stats(self, **figures: object) -> Mapping[str, object]:
        """Return the answer to ``stats``: who counted, since when (seconds since 1970), and what."""
        return {**self.ping(), "counting_since": self._counting_since, **figures}
