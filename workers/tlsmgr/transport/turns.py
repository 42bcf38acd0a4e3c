"""How the connections of a server share the turns of the event loop."""

from dataclasses import dataclass

# Requests of one client that are answered before the event loop sees to the others again: 0.1 to 1 ms.
_REQUESTS_AT_MOST = 32
# When many clients have more than that waiting, each gets its part of so many.
_REQUESTS_TOGETHER = 64
_REQUESTS_AT_LEAST = 2


@dataclass(slots=True)
class Turns:
    """Counts who waits for the next turn; shared by all connections of a server.

    Attributes:
        waiting: How many connections have requests that wait for their next turn.
    """

    waiting: int = 0

    @property
    def requests(self) -> int:
        """How many requests a connection may have answered in one turn."""
        share = _REQUESTS_TOGETHER // max(1, self.waiting)
        return max(_REQUESTS_AT_LEAST, min(_REQUESTS_AT_MOST, share))
