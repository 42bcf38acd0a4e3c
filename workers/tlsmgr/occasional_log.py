"""Warnings about a lasting trouble: once when it begins, then once in a while."""

import logging
from collections.abc import Callable


class OccasionalLog:
    """Logs a warning at most once in ``interval`` seconds for each subject and cause.

    Args:
        log: Where to.
        clock: A monotonic clock, in seconds.
        interval: How long a subject stays quiet after a warning.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float], *, interval: float = 60.0) -> None:
        self._log = log
        self._clock = clock
        self._interval = interval
        self._quiet_until: dict[tuple[str, str], float] = {}

    def warning(self, subject: str, message: str, *arguments: object, cause: str = "") -> bool:
        """Log ``message`` unless this subject has been warned about a short while ago.

        Args:
            subject: What is in trouble.
            message: As logging takes it, with its ``arguments``.
            arguments: See ``message``.
            cause: Another cause of the same trouble is told at once; there are few.

        Returns:
            Whether it was logged.
        """
        now = self._clock()
        if now < self._quiet_until.get((subject, cause), now):
            return False
        self._quiet_until[subject, cause] = now + self._interval
        self._log.warning(message, *arguments)
        return True

    def recovered(self, subject: str, message: str, *arguments: object) -> None:
        """Log ``message`` if there was a warning about this subject, and start afresh."""
        told = [key for key in self._quiet_until if key[0] == subject]
        for key in told:
            del self._quiet_until[key]
        if told:
            self._log.info(message, *arguments)
