"""One worker under supervisord: whether it is ready, and its restart."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from rehearsal.checkout import COMMANDS
from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError, ServerUnavailableError

_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 2.0


class NotRestartedError(Exception):
    """A worker does not answer, or cannot be restarted; the message says which and why."""


class Supervised:
    """A worker of the group tlsmgr.

    Args:
        name: such as ``prng-server``.
        run_directory: where its socket is.
        configuration: the supervisord.conf by which supervisorctl finds its supervisord.
        timeout: seconds to wait for an answer.
    """

    def __init__(self, name: str, run_directory: Path, configuration: Path, timeout: float) -> None:
        self.name = name
        self._socket = run_directory / f"{name}.sock"
        self._configuration = configuration
        self._timeout = timeout

    def restart(self) -> float:
        """Restart it, and return when it is ready again; tell how many seconds that took.

        Raises:
            NotRestartedError: supervisorctl fails, or it is not ready in time.
        """
        began = time.monotonic()
        former = self.await_ready()
        self._supervisorctl("restart")
        self.await_ready(former)
        return time.monotonic() - began

    def await_ready(self, former: object = None) -> object:
        """Wait until it answers, by another process than ``former``, and may be restarted without a loss.

        Returns:
            The process id.

        Raises:
            NotRestartedError: it is not so within the timeout.
        """
        deadline = time.monotonic() + self._timeout
        while True:
            reason = f"{self.name} is still the former process"
            try:
                stats = self._stats()
            except (ServerUnavailableError, ProtocolError) as error:
                reason = str(error)
            else:
                if not _has_key(stats):
                    reason = f"{self.name} has not yet got the sealing key, or not told it; see its log"
                elif stats["pid"] != former:
                    return stats["pid"]
            if time.monotonic() > deadline:
                raise NotRestartedError(f"no answer within {self._timeout:g} s: {reason}")
            time.sleep(_POLL_SECONDS)

    def _stats(self) -> Mapping[str, object]:
        with Client(self._socket, timeout=_ANSWER_SECONDS) as client:
            stats = client.call("stats")
        if not isinstance(stats, Mapping) or "pid" not in stats:
            raise ProtocolError(f"{self._socket} is not a worker's")
        return stats

    def _supervisorctl(self, verb: str) -> None:
        command = [
            str(COMMANDS / "supervisorctl"),
            "-c",
            str(self._configuration),
            verb,
            f"tlsmgr:{self.name}",
        ]
        done = subprocess.run(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NotRestartedError(f"supervisorctl {verb}: {(done.stdout + done.stderr).strip()}")


def _has_key(stats: Mapping[str, object]) -> bool:
    sealing = stats.get("sealing")
    # The expiry sweeper needs none.
    return not isinstance(sealing, Mapping) or sealing.get("key_shared") is True
