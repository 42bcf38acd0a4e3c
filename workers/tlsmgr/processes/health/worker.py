"""One worker under watch: its process, the question it was asked, what is thought of it."""

import logging
import selectors
import time
from pathlib import Path

from tlsmgr.processes.health.ping import Ping
from tlsmgr.processes.health.watch import Patience, Watch
from tlsmgr.processes.health.worker_process import WorkerProcess

_log = logging.getLogger(__name__)

# How often it is looked whether supervisord has waited for a worker that ended, and for how long.
_REAP_POLL_SECONDS = 0.005
_REAP_SECONDS = 2.0


class WatchedWorker:
    """Finds a worker's process, asks it, and ends it when it has been silent for too long.

    Args:
        name: The worker's.
        patience: How long to wait before something is done.
        selector: Where its descriptors are waited for, with this object's methods as data.
        supervisord: The process ID of its parent.
    """

    def __init__(
        self, name: str, patience: Patience, selector: selectors.BaseSelector, supervisord: int
    ) -> None:
        self.name = name
        self.is_stopping = False
        self._patience = patience
        self._watch = Watch(patience)
        self._selector = selector
        self._supervisord = supervisord
        self._process: WorkerProcess | None = None
        self._ping: Ping | None = None
        self._complained = False

    @property
    def is_found(self) -> bool:
        """Whether it is known which process it is."""
        return self._process is not None

    def find(self, run_directory: Path) -> None:
        """Look for the process, unless it is known."""
        if self._process is not None:
            return
        self._process = WorkerProcess.find(run_directory / f"{self.name}.pid", self._supervisord)
        if self._process is not None:
            self._watch.began()
            self._complained = False
            self._selector.register(self._process, selectors.EVENT_READ, self._take_end)

    def ask(self, run_directory: Path, now: float) -> None:
        """Ask it, unless it is not there, is stopping, or was asked already."""
        if self._process is None or self._ping is not None or self.is_stopping:
            return
        try:
            self._ping = Ping.send(run_directory / f"{self.name}.sock")
        except OSError as error:
            self._complain(f"{self.name} cannot be asked whether it is well: {error}")
            return
        self._watch.asked(now)
        if self._ping is not None:
            self._selector.register(self._ping, selectors.EVENT_READ, self._take_answer)

    def excuse(self, now: float) -> None:
        """Do not hold the time before against it."""
        self._watch.excuse(now)

    def judge(self, now: float) -> None:
        """End it if it has been silent for too long; supervisord starts another."""
        if self._process is None or self.is_stopping or not self._watch.is_hung(now):
            return
        silence = (
            f"{self.name} (process {self._process.pid}) has not answered for {self._patience.answer:g} s"
        )
        if not self._watch.may_restart(now):
            self._complain(f"{silence}; it was restarted a short while ago, so that is not tried again yet")
            return
        _log.warning("%s: ending it, so that supervisord starts another", silence)
        self._watch.restarted(now)
        self._process.kill()

    def _complain(self, text: str) -> None:
        if not self._complained:
            self._complained = True
            _log.warning("%s", text)

    def _take_answer(self) -> None:
        self._drop_ping()
        self._watch.answered()
        if self._complained:
            self._complained = False
            _log.info("%s answers again", self.name)

    def _take_end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._drop_ping()
        self._selector.unregister(process)
        _log.info("%s has ended (process %d)", self.name, process.pid)
        if not process.is_gone():
            # That line woke supervisord, which waits for the process now, and sleeps again.
            _await_gone(process)
            _log.info("supervisord has taken note of the end of %s", self.name)
        process.close()

    def _drop_ping(self) -> None:
        if self._ping is not None:
            self._selector.unregister(self._ping)
            self._ping.close()
            self._ping = None


def _await_gone(process: WorkerProcess) -> None:
    deadline = time.monotonic() + _REAP_SECONDS
    while not process.is_gone() and time.monotonic() < deadline:
        time.sleep(_REAP_POLL_SECONDS)
