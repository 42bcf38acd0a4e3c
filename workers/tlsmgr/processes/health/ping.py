"""One question to a worker that is never waited for: its answer makes the socket readable."""

import socket
from pathlib import Path
from typing import Self

from tlsmgr.wire.rpc import encode_call

_PING = encode_call(1, "ping", ())


class Ping:
    """A connection with a question on it."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    @classmethod
    def send(cls, path: Path) -> Self | None:
        """Ask the worker behind a socket; return None when its queue is full: it takes nobody in.

        Raises:
            OSError: It was not asked, which tells nothing of it: its socket was removed or moved
                away, is another's, or is not for us; or we have no descriptor left.
        """
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            made.connect(str(path))
            made.sendall(_PING)
        except BlockingIOError:
            made.close()
            return None
        except OSError:
            made.close()
            raise
        return cls(made)

    def fileno(self) -> int:
        """Return the descriptor, for a selector: readable when there is an answer, or the end."""
        return self._socket.fileno()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
