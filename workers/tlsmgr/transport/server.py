"""A server on one UNIX socket, for any protocol."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from tlsmgr.transport.connection import Connection, Deadlines, Rules
from tlsmgr.transport.dialogue import Dialogue
from tlsmgr.transport.peer import PeerCredentials
from tlsmgr.transport.unix_socket import ListeningSocket

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFigures:
    """What a server counted since it was made."""

    accepted: int = 0
    refused: int = 0  #: peers that were not welcome
    open: int = 0


class SocketServer:
    """Accepts connections on ``listener`` and carries one dialogue on each.

    Args:
        listener: The socket; this object closes it, and removes its file, in the end.
        make_dialogue: Called for each connection.
        welcome: The user ids that may connect.
        deadlines: What a client may take.
    """

    def __init__(
        self,
        listener: ListeningSocket,
        make_dialogue: Callable[[], Dialogue],
        *,
        welcome: frozenset[int],
        deadlines: Deadlines | None = None,
    ) -> None:
        self._listener = listener
        self.welcome = welcome
        self._figures = ConnectionFigures()
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._all_closed = asyncio.Event()
        self._is_draining = False
        self._rules = Rules(
            make_dialogue=make_dialogue,
            is_welcome=self._is_welcome,
            deadlines=deadlines or Deadlines(),
            on_open=self._opened,
            on_close=self._closed,
        )

    @property
    def figures(self) -> ConnectionFigures:
        """What has been counted."""
        return replace(self._figures, open=len(self._connections))

    async def start(self) -> None:
        """Begin to accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: Connection(self._rules), sock=self._listener.socket
        )

    async def drain(self, deadline: float) -> None:
        """Accept no more, answer every request that was read, and close within ``deadline`` seconds."""
        self._is_draining = True
        self._stop_accepting()
        for connection in tuple(self._connections):
            connection.drain()
        if self._connections:
            self._all_closed.clear()
            try:
                await asyncio.wait_for(self._all_closed.wait(), deadline)
            except TimeoutError:
                _log.warning("%d connections did not end in %g s", len(self._connections), deadline)
                self._abort_all()

    def _abort_all(self) -> None:
        for connection in tuple(self._connections):
            connection.abort()

    def _stop_accepting(self) -> None:
        # The file goes first: a client that comes now finds nobody, rather than a queue that nobody serves.
        try:
            self._listener.remove()
        except OSError as error:
            # The next server finds a stale file, and replaces it; here are requests to be answered.
            _log.warning("cannot remove %s: %s", self._listener.path, error.strerror)
        if self._server is not None:
            self._server.close()

    def _is_welcome(self, peer: PeerCredentials) -> bool:
        if peer.user_id in self.welcome:
            self._figures = replace(self._figures, accepted=self._figures.accepted + 1)
            return True
        _log.warning(
            "refused a connection to %s from uid %d, pid %d: not among the users that may ask",
            self._listener.path,
            peer.user_id,
            peer.process_id,
        )
        self._figures = replace(self._figures, refused=self._figures.refused + 1)
        return False

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._is_draining:
            # It was accepted in the very turn in which draining began.
            asyncio.get_running_loop().call_soon(connection.drain)

    def _closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()
