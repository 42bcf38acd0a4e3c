"""How much one transaction may change, so that it does not hold the event loop for long."""

# What a row costs whatever is in it, in bytes of a session: some 14 us, where a KiB costs 3.
_ROW_WEIGHT = 4096
# 50 sessions of the usual size, or 11 of 16 KB: less than 1 ms. Few in a store that is slow, but
# not so few that nothing is gained by it: a transaction itself costs as much as five rows.
_MOST, _LEAST = 224 << 10, 20 << 10
_SECONDS_WANTED = 0.0012


def weight_of(changes: int, size: int) -> int:
    """Return what so many changes are reckoned to cost, with ids and sessions of ``size`` bytes in all."""
    return changes * _ROW_WEIGHT + size


class CommitBudget:
    """Learns from how long transactions took: a full store costs more, and so does a slow machine.

    Attributes:
        weight: What the changes of the next transaction may weigh together.
    """

    __slots__ = ("weight",)

    def __init__(self) -> None:
        self.weight = _MOST

    def learn(self, weight: int, seconds: float) -> None:
        """Take note that changes of this weight took so long.

        What took too long counts, and what was fast though it used the budget up. One transaction
        changes it to the half or the double at most: it may have been slow for another reason.
        """
        if seconds > _SECONDS_WANTED or 4 * weight > 3 * self.weight:
            ratio = max(0.5, min(2.0, _SECONDS_WANTED / max(seconds, 1e-6)))
            self.weight = max(_LEAST, min(_MOST, int(weight * ratio)))
