"""The event listener: answers supervisord, and tells it at once when a worker has ended.

When a worker dies, supervisord sees its pipes close before the kernel lets it wait for the process,
and looks for what to start before it waits: each time it sleeps for up to a second. A line in its
child's log wakes it. So a worker is started anew within milliseconds.
"""

import logging
import os
import selectors
import time
from collections.abc import Callable
from pathlib import Path

from tlsmgr.processes.health.protocol import DONE, READY, Event, EventReader
from tlsmgr.processes.health.worker_process import WorkerProcess

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 65536
# How often a worker's pid file is looked at while it is not known which process it is.
_SEARCH_SECONDS = 0.25
# How often it is looked whether supervisord has waited for a worker that ended, and for how long.
_REAP_POLL_SECONDS = 0.005
_REAP_SECONDS = 2.0


class Listener:
    """Watches over some workers until supervisord ends.

    Args:
        workers: Their names.
        run_directory: Gives the directory with their pid files, or None while it is not known.
        standard_input: The descriptor with supervisord's events.
        standard_output: The descriptor for the answers.
    """

    def __init__(
        self,
        workers: tuple[str, ...],
        run_directory: Callable[[], Path | None],
        *,
        standard_input: int = 0,
        standard_output: int = 1,
    ) -> None:
        self._workers = workers
        self._run_directory = run_directory
        self._input = standard_input
        self._output = standard_output
        self._reader = EventReader()
        self._selector = selectors.DefaultSelector()
        self._processes: dict[str, WorkerProcess] = {}
        self._supervisord = os.getppid()

    def listen(self) -> None:
        """Serve until supervisord closes our standard input.

        Raises:
            ProtocolError: What comes is not of supervisord's protocol.
        """
        self._selector.register(self._input, selectors.EVENT_READ)
        os.write(self._output, READY)
        while True:
            self._search()
            missing = len(self._processes) < len(self._workers)
            for key, _ in self._selector.select(_SEARCH_SECONDS if missing else None):
                if key.data is not None:
                    self._report_end(key.data)
                elif not self._read():
                    return

    def _read(self) -> bool:
        data = os.read(self._input, _CHUNK_BYTES)
        for event in self._reader.feed(data):
            self._take(event)
            os.write(self._output, DONE + READY)
        return bool(data)

    def _take(self, event: Event) -> None:
        """Take note of an event."""

    def _search(self) -> None:
        missing = [name for name in self._workers if name not in self._processes]
        directory = self._run_directory() if missing else None
        if directory is None:
            return
        for name in missing:
            process = WorkerProcess.find(directory / f"{name}.pid", self._supervisord)
            if process is not None:
                self._processes[name] = process
                self._selector.register(process, selectors.EVENT_READ, name)

    def _report_end(self, name: str) -> None:
        process = self._processes.pop(name)
        self._selector.unregister(process)
        _log.info("%s has ended (process %d)", name, process.pid)
        if not process.is_gone():
            # That line woke supervisord, which waits for the process now, and sleeps again.
            self._await_gone(process)
            _log.info("supervisord has taken note of the end of %s", name)
        process.close()

    @staticmethod
    def _await_gone(process: WorkerProcess) -> None:
        deadline = time.monotonic() + _REAP_SECONDS
        while not process.is_gone() and time.monotonic() < deadline:
            time.sleep(_REAP_POLL_SECONDS)
