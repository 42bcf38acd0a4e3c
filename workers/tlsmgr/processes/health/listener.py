"""The event listener: answers supervisord, asks the workers, and wakes supervisord when one has ended.

When a worker dies, supervisord sees its pipes close before the kernel lets it wait for the process,
and looks for what to start before it waits: each time it sleeps for up to a second. A line in its
child's log wakes it. So a worker is started anew within milliseconds.
"""

import logging
import os
import selectors
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tlsmgr.processes.health.protocol import DONE, READY, Event, EventReader
from tlsmgr.processes.health.watch import SHORT_LIFE_SECONDS, SHORT_LIVES, Patience, ShortLives
from tlsmgr.processes.health.worker import WatchedWorker

_log = logging.getLogger(__name__)

_GROUP = "tlsmgr"
_CHUNK_BYTES = 65536
_STATE = "PROCESS_STATE_"
# A worker's process is looked for so often, and for so long after supervisord said something of it.
_SEARCH_SECONDS = 0.25
_SEARCH_FOR_SECONDS = 10.0
# supervisord's ticks come every 5 seconds. When nothing came for so long, we did not run ourselves.
_TURN_SECONDS = 5.0
_ABSENCE_SECONDS = 15.0


class Listener:
    """Watches over some workers until supervisord ends.

    Args:
        names: The workers'.
        key_holders: Those of them that have what is lost when all of them end at once: of these, one
            is ended only while the other answers.
        run_directory: Gives the directory with their sockets and pid files, or None while it is not
            known; called when a worker is about to start, and when its process is looked for.
        patience: How long to wait before something is done.
        standard_input: The descriptor with supervisord's events.
        standard_output: The descriptor for the answers.
        supervisord: The process ID of the workers' parent.
    """

    def __init__(
        self,
        names: Sequence[str],
        key_holders: tuple[str, str],
        run_directory: Callable[[], Path | None],
        patience: Patience,
        *,
        standard_input: int,
        standard_output: int,
        supervisord: int,
    ) -> None:
        self._run_directory = run_directory
        self._directory: Path | None = None
        self._input = standard_input
        self._output = standard_output
        self._reader = EventReader()
        self._selector = selectors.DefaultSelector()
        self._workers = {name: WatchedWorker(name, patience, self._selector, supervisord) for name in names}
        one, other = (self._workers[name] for name in key_holders)
        self._partners = {one.name: other, other.name: one}
        self._lives = {name: ShortLives() for name in names}
        self._search_until = 0.0
        self._is_over = False

    def listen(self) -> None:
        """Serve until supervisord closes our standard input.

        Raises:
            ProtocolError: What comes is not of supervisord's protocol.
        """
        self._selector.register(self._input, selectors.EVENT_READ, self._read)
        os.write(self._output, READY)
        self._expect_processes()
        before = time.monotonic()
        while not self._is_over:
            for key, _ in self._selector.select(self._pause(before)):
                key.data()
            before = self._look_after_workers(before)
        self._selector.close()

    def _pause(self, now: float) -> float:
        everyone = all(worker.is_found for worker in self._workers.values())
        return _TURN_SECONDS if everyone or now > self._search_until else _SEARCH_SECONDS

    def _look_after_workers(self, before: float) -> float:
        now = time.monotonic()
        for worker in self._workers.values():
            if now - before > _ABSENCE_SECONDS:
                worker.excuse(now)
            if self._directory is not None:
                worker.find(self._directory)
            worker.judge(now, self._partners.get(worker.name))
        return now

    def _read(self) -> None:
        data = os.read(self._input, _CHUNK_BYTES)
        self._is_over = not data
        for event in self._reader.feed(data):
            self._take(event)
            os.write(self._output, DONE + READY)

    def _take(self, event: Event) -> None:
        if event.name.startswith("TICK"):
            self._ask_all()
            return
        worker = self._workers.get(event.fields.get("processname", ""))
        if worker is None or event.fields.get("groupname") != _GROUP:
            return
        state = event.name.removeprefix(_STATE)
        worker.is_stopping = state in ("STOPPING", "STOPPED", "FATAL")
        _log_state(worker.name, state, event)
        if state == "STARTING":
            self._lives[worker.name].started(time.monotonic())
            self._expect_processes()
        elif state == "EXITED" and event.fields.get("expected") == "0":
            _log_short_lives(worker.name, self._lives[worker.name].ended(time.monotonic()))

    def _expect_processes(self) -> None:
        # The worker reads its configuration now as well.
        self._directory = self._run_directory()
        self._search_until = time.monotonic() + _SEARCH_FOR_SECONDS

    def _ask_all(self) -> None:
        if self._directory is not None:
            for worker in self._workers.values():
                worker.ask(self._directory, time.monotonic())


def _log_short_lives(name: str, count: int) -> None:
    if count and not count % SHORT_LIVES:
        _log.error(
            "%s has ended %d times in a row within %g s of its start; see its log; to have it rest:"
            " supervisorctl stop %s:%s",
            name,
            count,
            SHORT_LIFE_SECONDS,
            _GROUP,
            name,
        )


def _log_state(name: str, state: str, event: Event) -> None:
    pid = event.fields.get("pid")
    process = f" (process {pid})" if pid else ""
    _log.info("%s: %s, was %s%s", name, state, event.fields.get("from_state", "unknown"), process)
    if state == "FATAL":
        _log.error(
            "%s fails at each start, and is not started any more; see its log, and then:"
            " supervisorctl start %s:%s",
            name,
            _GROUP,
            name,
        )
