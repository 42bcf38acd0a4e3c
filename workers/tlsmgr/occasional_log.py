"""Warnings about a lasting trouble: once when it begins, then once in a while."""

import logging
from collections.abc import Callable


class OccasionalLog:
    """Logs a warning at most once in ``interval`` seconds for each subject.

    Args:
        log: Where to.
        clock: A monotonic clock, in seconds.
        interval: How long a subject stays quiet after a warning.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float], *, interval: float = 60.0) -> None:
        self._log = log
        self._clock = clock
        self._interval = interval
        self._quiet_until: dict[str, float] = {}

    def warning(self, subject: str, message: str, *arguments: object) -> None:
        """Log ``message`` unless this subject has been warned about a short while ago."""
        now = self._clock()
        if now >= self._quiet_until.get(subject, now):
            self._quiet_until[subject] = now + self._interval
            self._log.warning(message, *arguments)

    def recovered(self, subject: str, message: str, *arguments: object) -> None:
        """Log ``message`` if there was a warning about this subject, and start afresh."""
        if self._quiet_until.pop(subject, None) is not None:
            self._log.info(message, *arguments)
