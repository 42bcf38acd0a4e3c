"""What one session cache counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tlsmgr.errors import StoreDamagedError, StoreError
from tlsmgr.figures.histogram import AGE_BOUNDS, Histogram


@dataclass(slots=True, kw_only=True)
class CacheFigures:
    """What one cache counted since its process began.

    A lookup is a hit, or a miss for one of the reasons that begin with ``absent``.
    """

    hits: int = 0
    absent: int = 0  #: nothing is saved under that id
    expired: int = 0
    damaged: int = 0  #: the store or the entry is damaged, or was tampered with
    other_key: int = 0  #: it was sealed with a key that is gone, or before a revocation
    unavailable: int = 0  #: the store could not be read
    disabled: int = 0  #: the cache is not enabled
    updates: int = 0  #: requests to save
    stored: int = 0  #: sessions that were saved
    deletes: int = 0  #: requests to delete
    removed: int = 0  #: sessions that were deleted for one
    tampered: int = 0  #: entries found that were changed or moved on disk
    evictions: int = 0  #: entries that went before their time, for want of room
    hit_age: Histogram = field(default_factory=lambda: Histogram(AGE_BOUNDS))

    @property
    def misses(self) -> int:
        """Lookups that an enabled cache had no session for."""
        return self.absent + self.expired + self.damaged + self.other_key + self.unavailable

    def count_failed_lookup(self, error: StoreError) -> None:
        """Count a lookup that the store could not answer."""
        if isinstance(error, StoreDamagedError):
            self.damaged += 1
        else:
            self.unavailable += 1

    def as_map(self) -> Mapping[str, object]:
        """Return all of them, for ``stats``."""
        return {
            "hits": self.hits,
            "misses": self.misses,
            "misses_by_reason": {
                "absent": self.absent,
                "expired": self.expired,
                "damaged": self.damaged,
                "other_key": self.other_key,
                "unavailable": self.unavailable,
                "disabled": self.disabled,
            },
            "updates": self.updates,
            "stored": self.stored,
            "deletes": self.deletes,
            "removed": self.removed,
            "tampered": self.tampered,
            "evictions": self.evictions,
            "hit_age": self.hit_age.as_map(),
        }
