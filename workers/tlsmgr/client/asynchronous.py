"""The asyncio client."""

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Self, cast

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
from tlsmgr.transport.peer import peer_credentials
from tlsmgr.wire import rpc


class AsyncClient:
    """Asks a tlsmgr server over MessagePack-RPC; calls may be under way together.

    Attributes:
        path: Where the next connection leads.

    Args:
        path: The server's socket.
        timeout: Seconds that one call may take, connecting included.
        retry_pause: Seconds after a failed attempt to connect in which calls fail at once.
        response_size_limit: Bytes that one response may have.
        servers: The user ids that may serve; None for whoever could make the socket.

    Methods raise what those of ``tlsmgr.client.Client`` raise.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        timeout: float = 5.0,
        retry_pause: float = 0.0,
        response_size_limit: int = 1 << 20,
        servers: frozenset[int] | None = None,
    ) -> None:
        self.path = Path(path)
        self._servers = servers
        self._timeout = timeout
        self._retry_pause = retry_pause
        self._limit = response_size_limit
        self._channel: _Channel | None = None
        self._connecting = asyncio.Lock()
        self._next_attempt = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def connect(self) -> None:
        """Connect now, rather than at the first call."""
        await self._connected()

    def close(self) -> None:
        """Close the connection; calls under way fail, the next call opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def seed(self, size: int) -> bytes:
        """Return ``size`` random bytes, 1 to 255."""
        return replies.seed_of(await self.ask(SeedRequest(size=size)))

    async def policy(self, cache_type: CacheType) -> replies.CachingPolicy:
        """Return whether sessions of this cache may be saved, and for how long."""
        return replies.policy_of(await self.ask(PolicyRequest(cache_type=cache_type)))

    async def lookup(self, cache_type: CacheType, cache_id: bytes) -> bytes | None:
        """Return the session saved under ``cache_id``, or None."""
        return replies.session_of(await self.ask(LookupRequest(cache_type=cache_type, cache_id=cache_id)))

    async def update(self, cache_type: CacheType, cache_id: bytes, session: bytes) -> bool:
        """Save a session; return whether it is in the store now."""
        request = UpdateRequest(cache_type=cache_type, cache_id=cache_id, session=session)
        return replies.success_of(await self.ask(request))

    async def delete(self, cache_type: CacheType, cache_id: bytes) -> bool:
        """Remove a session; return whether there was one."""
        return replies.success_of(await self.ask(DeleteRequest(cache_type=cache_type, cache_id=cache_id)))

    async def ticket_key(self, name: bytes = b"") -> bytes | None:
        """Return the 88-byte key called ``name`` (16 bytes), or, with none, the one to encrypt with."""
        return replies.key_of(await self.ask(TicketKeyRequest(name=name)))

    async def ask(self, request: Request) -> Reply:
        """Send one of the six requests and return its reply, whatever its status."""
        method, params = rpc.call_of(request)
        return rpc.decode_reply(Verb(method), await self._respond(method, params))

    async def call(self, method: str, *params: object) -> object:
        """Call any method by name, such as ``ping`` or ``stats``, and return its result."""
        return rpc.result_of(await self._respond(method, params))

    async def _respond(self, method: str, params: tuple[object, ...]) -> rpc.Response:
        try:
            async with asyncio.timeout(self._timeout):
                channel = self._channel
                if channel is not None and channel.is_open:
                    try:
                        return await channel.respond(method, params)
                    except ServerUnavailableError:
                        if channel.was_closed:
                            raise
                        # It ended with the server it led to: once more on a new one.
                return await (await self._connected()).respond(method, params)
        except TimeoutError:
            raise ServerUnavailableError(f"{self.path}: no answer within {self._timeout:g} s") from None

    async def _connected(self) -> "_Channel":
        async with self._connecting:
            if self._channel is not None and self._channel.is_open:
                return self._channel
            if time.monotonic() < self._next_attempt:
                raise ServerUnavailableError(f"{self.path}: could not be reached a moment ago")
            self._next_attempt = time.monotonic() + self._retry_pause
            try:
                transport, channel = await asyncio.get_running_loop().create_unix_connection(
                    lambda: _Channel(self.path, self._limit), str(self.path)
                )
                self._check_server(transport)
            except OSError as error:
                raise ServerUnavailableError(f"{self.path}: {error.strerror or error}") from error
            self._channel = channel
            self._next_attempt = float("-inf")
            return self._channel

    def _check_server(self, transport: asyncio.Transport) -> None:
        if self._servers is None:
            return
        server = peer_credentials(transport.get_extra_info("socket"))
        if server.user_id not in self._servers:
            transport.abort()
            raise ServerUnavailableError(
                f"{self.path}: served by uid {server.user_id}, pid {server.process_id}: not to be trusted"
            )


class _Channel(asyncio.Protocol):
    """One connection, and the calls that wait on it, by their message ids."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._reader = rpc.ResponseReader(limit)
        self._waiting: dict[int, asyncio.Future[rpc.Response]] = {}
        self._message_id = 0
        self._transport: asyncio.WriteTransport | None = None
        self.was_closed = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def close(self) -> None:
        """End it on our side: whoever waits on it is told at once, and does not try another."""
        self.was_closed = True
        self._end(self._ended("the client closed the connection"))

    async def respond(self, method: str, params: tuple[object, ...]) -> rpc.Response:
        if self._transport is None:
            raise self._ended()
        self._message_id = message_id = (self._message_id + 1) & 0xFFFFFFFF
        response: asyncio.Future[rpc.Response] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = response
        self._transport.write(rpc.encode_call(message_id, method, params))
        try:
            return await response
        finally:
            self._waiting.pop(message_id, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (response := self._reader.next_response()) is not None:
                waiting = self._waiting.get(response.message_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(response)
        except ProtocolError as error:
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # how the connection ended makes no difference to who waits
        self._end(self._ended())

    def _ended(self, how: str = "the server ended the connection") -> ServerUnavailableError:
        return ServerUnavailableError(f"{self._path}: {how}")

    def _end(self, error: ProtocolError | ServerUnavailableError) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
