"""How much one transaction may change, so that it does not hold the event loop for long."""

# What a row costs whatever is in it, in bytes of a session: some 14 us, where a KiB costs 3.
_ROW_WEIGHT = 4096
# 50 sessions of the usual size, or 11 of 16 KB: less than 1 ms. Few in a store that is slow, but
# not so few that nothing is gained by it: a transaction itself costs as much as five rows.
_MOST, _LEAST = 224 << 10, 20 << 10
_SECONDS_WANTED = 0.0012
# One that was slow may have waited for the processor; one that was fast was lucky.
_FACTOR = 2


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

    def learn(self, weight: int, seconds: float, *, had_no_room: bool) -> None:
        """Take note of how long a transaction took; the budget becomes half or twice of itself at most.

        Args:
            weight: What its changes weighed.
            seconds: What it took.
            had_no_room: Whether others wait that had no room in it: else it says nothing of larger ones.
        """
        fitting = int(weight * min(_SECONDS_WANTED / max(seconds, 1e-6), _FACTOR))
        if seconds > _SECONDS_WANTED:
            self.weight = max(_LEAST, self.weight // _FACTOR, min(fitting, self.weight))
        elif had_no_room:
            self.weight = min(_MOST, self.weight * _FACTOR, max(fitting, self.weight))
