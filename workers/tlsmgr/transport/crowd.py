"""The open connections of one server, and which of them go when there are too many."""

from collections import OrderedDict
from collections.abc import Iterator

from tlsmgr.transport.connection import Connection


class Crowd:
    """Keeps connections in about the order of their last use, and those that make us hold bytes.

    The order is that of a second chance (as of pages in an operating system's memory): a
    connection that was used since it was looked at last goes behind all others. It costs a
    request no more than setting a flag.
    """

    def __init__(self) -> None:
        self._connections: OrderedDict[Connection, None] = OrderedDict()
        self._holding: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections))

    def add(self, connection: Connection) -> None:
        """Take a new connection in."""
        self._connections[connection] = None

    def discard(self, connection: Connection) -> None:
        """Forget a connection, if it is known."""
        self._connections.pop(connection, None)
        self._holding.pop(connection, None)

    def pop_idle(self) -> Connection | None:
        """Forget and return a connection that waits for no answer, of those one not used lately."""
        # Twice: the first time round may find all of them used, and takes note of that.
        for _ in range(2 * len(self._connections)):
            connection = next(iter(self._connections))
            if not connection.was_used and not connection.awaits_answers:
                self.discard(connection)
                return connection
            connection.was_used = False
            self._connections.move_to_end(connection)
        return None

    def note_holding(self, connection: Connection, *, holds: bool) -> int:
        """Note whether bytes of this connection are held, and return how many connections' are.

        To be told again of one that holds and got on: those that do not get on go first.
        """
        self._holding.pop(connection, None)
        if holds:
            self._holding[connection] = None
        return len(self._holding)

    def pop_holding(self) -> Connection:
        """Forget and return the connection that holds bytes and has not got on for the longest time."""
        connection = next(iter(self._holding))
        self.discard(connection)
        return connection
