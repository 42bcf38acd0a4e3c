"""Epochs: when which of a farm's ticket keys encrypts, and when it decrypts.

Time is cut into epochs of half of ``smtpd_tls_session_cache_timeout``: epoch n begins at n times
that, in seconds since 1970, on every host. Values only: the time, in whole seconds, is an argument.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRules:
    """The length of an epoch, and how far apart any two hosts' clocks may be, both in seconds.

    The key of an epoch encrypts while that is the present one, and is accepted for the epoch after
    it too, as Postfix's rules have it. So that no ticket is refused for a clock's sake, it is
    accepted ``skew`` earlier and later than that: a ticket lives an epoch at least, on any host.

    Raises:
        ValueError: an epoch has less than a second, or the skew is negative or more than half an epoch.
    """

    epoch_seconds: int
    skew: int = 0

    def __post_init__(self) -> None:
        if self.epoch_seconds < 1:
            raise ValueError(f"an epoch has a second or more, not {self.epoch_seconds}")
        if not 0 <= self.skew <= self.epoch_seconds // 2:
            raise ValueError(f"clocks may differ by half an epoch at most, not by {self.skew} s")

    @classmethod
    def for_timeout(cls, timeout: int, skew: int) -> Self:
        """Return the rules for a lifetime of sessions of ``timeout`` seconds.

        Raises:
            ValueError: as above.
        """
        return cls(epoch_seconds=timeout // 2, skew=skew)

    @property
    def lead(self) -> int:
        """How many seconds before its epoch a key that has to be handed round must be there."""
        return max(2 * self.skew, self.epoch_seconds // 4)

    def epoch_at(self, now: int) -> int:
        """Return the epoch whose key encrypts at ``now``."""
        return now // self.epoch_seconds

    def begins_at(self, epoch: int) -> int:
        """Return the first second of an epoch."""
        return epoch * self.epoch_seconds

    def encrypts_until(self, epoch: int) -> int:
        """Return the first second in which the key of an epoch encrypts no more: Postfix's ``tout``."""
        return self.begins_at(epoch + 1)

    def decrypts_from(self, epoch: int) -> int:
        """Return the first second in which the key of an epoch is accepted."""
        return self.begins_at(epoch) - self.skew

    def decrypts_until(self, epoch: int) -> int:
        """Return the first second in which the key of an epoch is accepted no more."""
        return self.begins_at(epoch + 2) + self.skew

    def accepts(self, epoch: int, now: int) -> bool:
        """Tell whether a ticket made with the key of an epoch is accepted at ``now``."""
        return self.decrypts_from(epoch) <= now < self.decrypts_until(epoch)

    def oldest_accepted(self, now: int) -> int:
        """Return the first epoch whose key is accepted at ``now``: nothing before it is needed again."""
        return (now - self.skew) // self.epoch_seconds - 1

    def newest_accepted(self, now: int) -> int:
        """Return the last epoch whose key is accepted at ``now``."""
        return (now + self.skew) // self.epoch_seconds
