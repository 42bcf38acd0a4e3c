"""A server on one UNIX socket, for any protocol."""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

from tlsmgr.errors import HostError
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.transport.acceptor import Acceptor
from tlsmgr.transport.connection import Connection, Rules
from tlsmgr.transport.crowd import Crowd
from tlsmgr.transport.deadline import Deadlines
from tlsmgr.transport.dialogue import Dialogue
from tlsmgr.transport.peer import PeerCredentials, peer_credentials
from tlsmgr.transport.unix_socket import ListeningSocket, listen

_log = logging.getLogger(__name__)

CONNECTION_LIMIT = 4000

# Connections for which bytes are held at a time: half requests, and answers that are not read. One
# has at most a request and two reads (32 KiB each) and a batch of answers (64 KiB) with one large one
# there, all together 32 MiB; with half requests alone it is 8 MiB. A well-behaved client is among
# them for a fraction of a millisecond.
_HOLDING_MAX = 128
# Of all descriptors a process may have: there are two sockets, and the stores need some.
_SHARE_OF_DESCRIPTORS = 3
# When the process has no descriptor left: of its idle connections this part is closed at a time.
_CLOSED_IN_SHORTAGE = 64
_LOOK_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class ConnectionFigures:
    """What a server counted since it was made."""

    accepted: int = 0
    refused: int = 0  #: peers that were not welcome
    evicted: int = 0  #: idle connections that were closed to make room for others
    dropped: int = 0  #: connections closed since too many made us hold bytes
    shortages: int = 0  #: times that no descriptor was left for a new connection
    open: int = 0


class SocketServer:
    """Accepts connections on ``listener`` and carries one dialogue on each.

    At ``connection_limit`` an idle connection is closed for each new one: its client, as after
    any idle time, connects again when it needs to. If every connection waits for an answer, new
    ones wait in the socket's queue; answers have deadlines, so that is soon over.

    Attributes:
        welcome: The user ids that may connect.

    Args:
        listener: The socket; this object closes it, and removes its file, in the end.
        make_dialogue: Called for each connection, with who is at the other end.
        welcome: The user ids that may connect.
        deadlines: What a client may take.
        connection_limit: Open connections, at least 1; fewer where descriptors are few.
    """

    def __init__(
        self,
        listener: ListeningSocket,
        make_dialogue: Callable[[PeerCredentials], Dialogue],
        *,
        welcome: frozenset[int],
        deadlines: Deadlines | None = None,
        connection_limit: int = CONNECTION_LIMIT,
    ) -> None:
        self._listener = listener
        self.welcome = welcome
        self.limit_connections(connection_limit)
        self._figures = ConnectionFigures()
        self._crowd = Crowd()
        self._acceptor: Acceptor | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._all_closed = asyncio.Event()
        self._is_draining = False
        self._rules = Rules(
            make_dialogue=make_dialogue,
            deadlines=deadlines or Deadlines(),
            on_close=self._closed,
            on_hold=self._holding,
        )

    @property
    def figures(self) -> ConnectionFigures:
        """What has been counted."""
        return replace(self._figures, open=len(self._crowd))

    def limit_connections(self, limit: int) -> None:
        """Have at most ``limit`` connections from now on, or as many as there are descriptors for."""
        available = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _SHARE_OF_DESCRIPTORS
        if limit > available:
            _log.warning(
                "%s: %d connections at most, not %d, as the process may have few descriptors (RLIMIT_NOFILE)",
                self._listener.path,
                available,
                limit,
            )
        self._limit = min(limit, available)

    async def start(self) -> None:
        """Begin to accept connections."""
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._accept()
        self._look_later()

    def _accept(self) -> None:
        self._acceptor = Acceptor(self._listener.socket, self._take, self._descriptors_are_short)
        self._acceptor.resume()

    def _look_later(self) -> None:
        self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look_after_file)

    def _look_after_file(self) -> None:
        """Make the socket's file anew if somebody removed it: nobody could connect any more."""
        try:
            if not self._listener.is_in_place():
                self._listen_anew()
        except (HostError, OSError) as error:
            self._trouble.warning("file", "%s has gone: %s", self._listener.path, error, cause=str(error))
        self._look_later()

    def _listen_anew(self) -> None:
        fresh = listen(self._listener.path, mode=self._listener.mode, lock_seconds=0.0)
        if self._acceptor is not None:
            self._acceptor.stop()
        self._listener.remove()
        self._listener = fresh
        self._accept()
        _log.warning("%s had gone: listening there anew", fresh.path)

    async def drain(self, deadline: float) -> None:
        """Accept no more, answer every request that was read, and close within ``deadline`` seconds."""
        self._is_draining = True
        if self._next_look is not None:
            self._next_look.cancel()
        self._stop_accepting()
        for connection in self._crowd:
            connection.drain()
        if self._crowd:
            self._all_closed.clear()
            try:
                await asyncio.wait_for(self._all_closed.wait(), deadline)
            except TimeoutError:
                _log.warning("%d connections did not end in %g s", len(self._crowd), deadline)
                self._abort_all()

    def _abort_all(self) -> None:
        for connection in self._crowd:
            connection.abort()

    def _stop_accepting(self) -> None:
        if self._acceptor is not None:
            self._acceptor.stop()
        # The file goes first: a client that comes now finds nobody, rather than a queue that nobody serves.
        try:
            self._listener.remove()
        except OSError as error:
            # The next server finds a stale file, and replaces it; here are requests to be answered.
            _log.warning("cannot remove %s: %s", self._listener.path, error.strerror)

    def _take(self, accepted: socket.socket) -> None:
        peer = self._welcome_peer(accepted)
        if peer is None:
            accepted.close()
            return
        if not self._make_room() and self._acceptor is not None:
            # All wait for answers: this one is let in, and the next ones wait until one has gone
            # or is idle.
            self._acceptor.pause(self._make_room)
        try:
            self._crowd.add(Connection(self._rules, peer, accepted))
        except OSError as error:
            accepted.close()
            _log.warning("lost a connection to %s at its start: %s", self._listener.path, error.strerror)

    def _welcome_peer(self, accepted: socket.socket) -> PeerCredentials | None:
        try:
            peer = peer_credentials(accepted)
        except OSError:
            return None  # it is gone already
        if peer.user_id in self.welcome:
            self._figures.accepted += 1
            return peer
        self._figures.refused += 1
        self._tell_of_refusal(peer)
        return None

    def _tell_of_refusal(self, peer: PeerCredentials) -> None:
        # Once a minute for each user: who may not ask may not fill the log either.
        self._trouble.warning(
            f"user {peer.user_id}",
            "refused a connection to %s from uid %d, pid %d: not among the users that may ask; %d so far",
            self._listener.path,
            peer.user_id,
            peer.process_id,
            self._figures.refused,
        )

    def _make_room(self) -> bool:
        while len(self._crowd) >= self._limit:
            if not self._evict("the limit of %d connections is reached", self._limit):
                return False
        return True

    def _evict(self, why: str, *arguments: object) -> bool:
        idle = self._crowd.pop_idle()
        if idle is None:
            return False
        idle.abort()
        self._figures.evicted += 1
        self._trouble.warning(
            "room", f"{self._listener.path}: {why}: closing idle connections to make room", *arguments
        )
        return True

    def _descriptors_are_short(self, error: OSError) -> None:
        self._figures.shortages += 1
        self._trouble.warning(
            "descriptors",
            "%s: cannot accept connections now, they wait: %s; %d are open: see the limit RLIMIT_NOFILE",
            self._listener.path,
            error.strerror,
            len(self._crowd),
        )
        for _ in range(1 + len(self._crowd) // _CLOSED_IN_SHORTAGE):
            self._evict("no descriptor is left")

    def _closed(self, connection: Connection) -> None:
        self._crowd.discard(connection)
        if self._acceptor is not None and not self._is_draining:
            self._acceptor.resume()
        if not self._crowd:
            self._all_closed.set()

    def _holding(self, connection: Connection, holds: bool) -> None:  # noqa: FBT001 - a callback
        if self._crowd.note_holding(connection, holds=holds) > _HOLDING_MAX:
            self._crowd.pop_holding().abort()
            self._figures.dropped += 1
            self._trouble.warning(
                "holding",
                "%s: more than %d clients send half requests or do not read their answers: dropping some",
                self._listener.path,
                _HOLDING_MAX,
            )
