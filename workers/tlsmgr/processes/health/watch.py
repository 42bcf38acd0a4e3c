"""Whether a worker is to be restarted, as a value of what was seen of it. Reads no clock."""

from dataclasses import dataclass

#: However often a worker hangs anew, it is tried again after so long.
LONGEST_PAUSE_SECONDS = 3600.0
#: Who ends so soon after its start has not got far.
SHORT_LIFE_SECONDS = 10.0
#: So many short lives in a row are told.
SHORT_LIVES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited before something is done, in seconds.

    ``answer``: for an answer, before a worker counts as hung. ``restart``: from one restart of a
    worker to the next; twice as long after each that did not bring an answer.
    """

    answer: float = 30.0
    restart: float = 60.0


class ShortLives:
    """Counts how often in a row one worker has ended soon after its start."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._count = 0

    def started(self, now: float) -> None:
        """It is being started."""
        self._started_at = now

    def ended(self, now: float) -> int:
        """It ended by itself; return how many of its last lives were short, this one included."""
        is_short = self._started_at is not None and now - self._started_at < SHORT_LIFE_SECONDS
        self._count = self._count + 1 if is_short else 0
        return self._count


class Watch:
    """What is known of one worker; times are seconds of a monotonic clock."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._silent_since: float | None = None
        self._answered_at: float | None = None
        self._restarted_at: float | None = None
        self._pause = patience.restart

    def asked(self, now: float) -> None:
        """It was asked; for as long as no answer comes it is silent from the first question on."""
        if self._silent_since is None:
            self._silent_since = now

    def answered(self, now: float) -> None:
        """It answered, or ended a connection, which only a live one does: all is well."""
        self._silent_since = None
        self._answered_at = now
        self._pause = self._patience.restart

    def began(self) -> None:
        """Another process has taken its place, which was not asked yet."""
        self._silent_since = self._answered_at = None

    def not_asked(self) -> None:
        """It could not be asked: nothing is held against it."""
        self._silent_since = None

    def excuse(self, now: float) -> None:
        """Count from now on: nobody could have answered in the time before."""
        if self._silent_since is not None:
            self._silent_since = now

    def is_hung(self, now: float) -> bool:
        """Whether it has been silent for too long."""
        return self._silent_since is not None and now - self._silent_since >= self._patience.answer

    def has_answered_within(self, seconds: float, now: float) -> bool:
        """Whether its last answer is no older than that."""
        return self._answered_at is not None and now - self._answered_at <= seconds

    def may_restart(self, now: float) -> bool:
        """Whether the last restart is long enough ago."""
        return self._restarted_at is None or now - self._restarted_at >= self._pause

    def restarted(self, now: float) -> None:
        """It was restarted."""
        if self._restarted_at is not None:
            self._pause = min(2 * self._pause, max(LONGEST_PAUSE_SECONDS, self._patience.restart))
        self._restarted_at = now
        self._silent_since = None
