"""What a session store is told to change, and what it finds."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Save ``session`` under ``cache_id``, in place of a former one; both may be empty."""

    cache_id: bytes
    session: bytes = field(repr=False)
    stored_at: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Remove the entry saved under ``cache_id``, expired or not."""

    cache_id: bytes


Change: TypeAlias = Put | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """An entry as it was saved; whether it has expired depends on who asks when."""

    session: bytes = field(repr=False)
    stored_at: float
    expires_at: float

    def is_fresh(self, *, now: float, timeout: int) -> bool:
        """Tell whether the entry may be given out: its own time and ``timeout`` are both not over."""
        return is_fresh(self.stored_at, self.expires_at, now, timeout)


def is_fresh(stored_at: float, expires_at: float, now: float, timeout: int) -> bool:
    """Tell whether an entry may be given out: its own time and ``timeout`` are both not over."""
    return expires_at > now and stored_at + timeout > now
