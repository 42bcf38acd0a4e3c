"""The watchdog: ends a worker whose event loop makes no progress.

As Postfix's daemon_timeout: a process that hangs is worth less than a new one, and
supervisord starts that.
"""

import asyncio
import logging
import os
import sys
import threading
import time
import traceback

from tlsmgr.errors import ExitCode

_log = logging.getLogger(__name__)

# The event loop shows that it lives, and the watchdog looks, so often within the limit.
_BEATS = 10
_LAST_WORD_SECONDS = 2.0


class Watchdog:
    """Watches the running event loop from a thread of its own.

    Args:
        limit: Seconds without progress after which the process ends.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._last_beat = time.monotonic()
        self._stopped = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._next_beat.cancel()
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        self._last_beat = time.monotonic()
        self._next_beat = self._loop.call_later(self._limit / _BEATS, self._beat)

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._stopped.wait(self._limit / _BEATS):
            now = time.monotonic()
            # A process that was itself stopped (SIGSTOP, a suspended machine) did not hang.
            if now - looked < self._limit and now - self._last_beat > self._limit:
                self._end()
            looked = now

    def _end(self) -> None:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented, for just this use
        # Where, not with what: a stack's lines quote the source, and no value.
        where = " <- ".join(
            f"{entry.filename}:{entry.lineno} {entry.name}"
            for entry in reversed(traceback.extract_stack(frame))
        )
        # The loop may hang in the log itself, with its lock.
        threading.Timer(_LAST_WORD_SECONDS, os._exit, [ExitCode.HUNG]).start()
        _log.critical("watchdog timeout: no progress for %g s at %s", self._limit, where)
        os._exit(ExitCode.HUNG)
