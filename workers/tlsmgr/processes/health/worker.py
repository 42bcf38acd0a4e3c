"""One worker under watch: its process, the question it was asked, what is thought of it."""

import logging
import selectors
import time
from pathlib import Path

from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.processes.health.ping import Ping
from tlsmgr.processes.health.watch import Patience, Watch
from tlsmgr.processes.health.worker_process import WorkerProcess

_log = logging.getLogger(__name__)

# How often it is looked whether supervisord has waited for a worker that ended, and for how long.
_REAP_POLL_SECONDS = 0.005
_REAP_SECONDS = 2.0
# All are asked every 5 seconds, at the same time. Who answered so short a while ago runs now; and
# who answered at one of the last two times may do so in a moment.
_NOW_SECONDS, _LATELY_SECONDS = 1.0, 12.0
_BOTH_SILENT = (
    "nor does %s answer, which alone has the keys to the saved sessions as well, so it is left as it is:"
    " see what both wait for; at the cost of the sessions: supervisorctl restart tlsmgr:%s"
)


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
        self._log = OccasionalLog(_log, time.monotonic)

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
            self._selector.register(self._process, selectors.EVENT_READ, self._take_end)

    def ask(self, run_directory: Path, now: float) -> None:
        """Ask it, unless it is not there, is stopping, or was asked already."""
        if self._process is None or self._ping is not None or self.is_stopping:
            return
        path = run_directory / f"{self.name}.sock"
        try:
            self._ping = Ping.send(path)
        except OSError as error:
            self._watch.not_asked()
            self._log.warning(
                self.name,
                "%s cannot be asked whether it is well, and is left as it is: %s: %s",
                self.name,
                path,
                error.strerror,
                cause="not asked",
            )
            return
        self._watch.asked(now)
        if self._ping is not None:
            self._selector.register(self._ping, selectors.EVENT_READ, self._take_answer)

    def excuse(self, now: float) -> None:
        """Do not hold the time before against it."""
        self._watch.excuse(now)

    def judge(self, now: float, partner: "WatchedWorker | None" = None) -> None:
        """End it if it has been silent for too long; supervisord starts another.

        Args:
            now: By a monotonic clock.
            partner: The only other one that holds what is lost when both end. Unless it answers,
                nothing is ended: also because whatever keeps both from answering may be no fault
                of theirs.
        """
        if self._process is None or self.is_stopping or not self._watch.is_hung(now):
            return
        silence = (
            f"{self.name} (process {self._process.pid}) has not answered for {self._patience.answer:g} s"
        )
        if partner is not None and not partner.has_answered_within(_NOW_SECONDS, now):
            if not partner.has_answered_within(_LATELY_SECONDS, now):
                self._put_off(silence, _BOTH_SILENT % (partner.name, self.name), cause="both")
        elif not self._watch.may_restart(now):
            self._put_off(silence, "it was restarted a short while ago, so that is not tried again yet")
        else:
            self._end(self._process, silence, now)

    def has_answered_within(self, seconds: float, now: float) -> bool:
        """Whether its process is known, and its last answer is no older than that."""
        return self._process is not None and self._watch.has_answered_within(seconds, now)

    def _end(self, process: WorkerProcess, silence: str, now: float) -> None:
        try:
            process.kill()
        except PermissionError:
            self._put_off(silence, "it runs as another user, so that only root can end it", cause="user")
            return
        self._watch.restarted(now)
        _log.warning("%s: ended it, so that supervisord starts another", silence)

    def _put_off(self, silence: str, why: str, cause: str = "") -> None:
        self._log.warning(self.name, "%s; %s", silence, why, cause=cause)

    def _take_answer(self) -> None:
        self._drop_ping()
        self._watch.answered(time.monotonic())
        self._log.recovered(self.name, "%s answers again", self.name)

    def _take_end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._drop_ping()
        self._selector.unregister(process)
        # Looked at before the line: supervisord may be quick to read that, and to wait for the process.
        was_gone = process.is_gone()
        _log.info("%s has ended (process %d)", self.name, process.pid)
        if not was_gone:
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
