"""The blocking client."""

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tlsmgr.client import replies
from tlsmgr.errors import ProtocolError, ServerUnavailableError
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupRequest,
    PolicyRequest,
    Reply,
    Request,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)
from tlsmgr.wire import rpc

_CHUNK_SIZE = 65536


class Client:
    """Asks a tlsmgr server over MessagePack-RPC, one call at a time.

    It may be kept for as long as wanted, and serves one thread at a time. Use it as
    a context manager, or call ``close``.

    Args:
        path: The server's socket.
        timeout: Seconds that one call may take, connecting included.
        response_size_limit: Bytes that one response may have.

    Every method raises ``ServerUnavailableError`` when no answer comes in time, also after
    one attempt to connect anew, and ``ProtocolError`` when the answer makes no sense; of
    these, ``RequestRefusedError`` says that the server answered status -2.
    """

    def __init__(self, path: Path | str, *, timeout: float = 5.0, response_size_limit: int = 1 << 20) -> None:
        self._path = Path(path)
        self._timeout = timeout
        self._limit = response_size_limit
        self._socket: socket.socket | None = None
        self._reader = rpc.ResponseReader(response_size_limit)
        self._message_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def seed(self, size: int) -> bytes:
        """Return ``size`` random bytes, 1 to 255."""
        return replies.seed_of(self.ask(SeedRequest(size=size)))

    def policy(self, cache_type: CacheType) -> replies.CachingPolicy:
        """Return whether sessions of this cache may be saved, and for how long."""
        return replies.policy_of(self.ask(PolicyRequest(cache_type=cache_type)))

    def lookup(self, cache_type: CacheType, cache_id: bytes) -> bytes | None:
        """Return the session saved under ``cache_id``, or None."""
        return replies.session_of(self.ask(LookupRequest(cache_type=cache_type, cache_id=cache_id)))

    def update(self, cache_type: CacheType, cache_id: bytes, session: bytes) -> bool:
        """Save a session; return whether it is in the store now."""
        request = UpdateRequest(cache_type=cache_type, cache_id=cache_id, session=session)
        return replies.success_of(self.ask(request))

    def delete(self, cache_type: CacheType, cache_id: bytes) -> bool:
        """Remove a session; return whether there was one."""
        return replies.success_of(self.ask(DeleteRequest(cache_type=cache_type, cache_id=cache_id)))

    def ticket_key(self, name: bytes = b"") -> bytes | None:
        """Return the 88-byte key called ``name`` (16 bytes), or, with none, the one to encrypt with."""
        return replies.key_of(self.ask(TicketKeyRequest(name=name)))

    def ask(self, request: Request) -> Reply:
        """Send one of the six requests and return its reply, whatever its status."""
        method, params = rpc.call_of(request)
        return rpc.decode_reply(Verb(method), self._respond(method, params))

    def call(self, method: str, *params: object) -> object:
        """Call any method by name, such as ``ping`` or ``stats``, and return its result."""
        return rpc.result_of(self._respond(method, params))

    def _respond(self, method: str, params: tuple[object, ...]) -> rpc.Response:
        deadline = time.monotonic() + self._timeout
        self._message_id = (self._message_id + 1) & 0xFFFFFFFF
        message = rpc.encode_call(self._message_id, method, params)
        if self._socket is not None:
            # A connection from before may have ended with the server: once more on a new one.
            try:
                return self._exchange(self._socket, message, deadline)
            except (ServerUnavailableError, OSError):
                self.close()
            except ProtocolError:
                # What follows on this connection makes no sense either; the next call opens another.
                self.close()
                raise
        try:
            return self._exchange(self._connect(deadline), message, deadline)
        except TimeoutError:
            self.close()
            raise self._late() from None
        except OSError as error:
            self.close()
            raise ServerUnavailableError(f"{self._path}: {error.strerror or error}") from error
        except Exception:
            self.close()
            raise

    def _connect(self, deadline: float) -> socket.socket:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._reader = rpc.ResponseReader(self._limit)
        self._bound(self._socket, deadline)
        self._socket.connect(str(self._path))
        return self._socket

    def _exchange(self, connected: socket.socket, message: bytes, deadline: float) -> rpc.Response:
        self._bound(connected, deadline)
        connected.sendall(message)
        while True:
            response = self._reader.next_response()
            if response is None:
                self._bound(connected, deadline)
                data = connected.recv(_CHUNK_SIZE)
                if not data:
                    raise ServerUnavailableError(f"{self._path}: the server ended the connection")
                self._reader.feed(data)
            elif response.message_id == self._message_id:
                return response

    def _bound(self, connected: socket.socket, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        connected.settimeout(left)

    def _late(self) -> ServerUnavailableError:
        return ServerUnavailableError(f"{self._path}: no answer within {self._timeout:g} s")
