"""One way to ask a server that dies now and then, for both protocols."""

import asyncio
from pathlib import Path
from typing import Protocol

from tlsmgr.client import AsyncClient
from tlsmgr.errors import ProtocolError, ServerUnavailableError
from tlsmgr.messages import Reply, Request, Verb
from tlsmgr.wire.attribute_client import ReplyReader, encode_request

_LIMIT = 1 << 20
_CHUNK_BYTES = 65536
_ANSWER_SECONDS = 10.0


class UnansweredError(Exception):
    """No answer came: the connection ended, could not be made, or nothing came in time."""


class Asker(Protocol):
    """A client of one protocol, with one connection at a time."""

    async def ask(self, request: Request, verb: Verb) -> Reply:
        """Send a request and return its reply.

        Raises:
            UnansweredError: There is none; the next request goes over a new connection.
            ProtocolError: What came is no reply to it.
        """

    def close(self) -> None:
        """End the connection."""


class AttributeAsker:
    """Asks over the Postfix attribute protocol."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._replies = ReplyReader(_LIMIT)

    async def ask(self, request: Request, verb: Verb) -> Reply:
        """Send a request and return its reply."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._exchange(request, verb)
        except OSError as error:  # TimeoutError is one
            self.close()
            raise UnansweredError(str(error) or type(error).__name__) from error
        except ProtocolError:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, request: Request, verb: Verb) -> Reply:
        reader, writer = self._streams or await self._connect()
        writer.write(encode_request(request))
        while (reply := self._replies.next_reply(verb)) is None:
            self._replies.feed(await _some(reader))
        if self._replies.pending:
            raise ProtocolError("bytes that nobody asked for")
        return reply

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = self._streams = await asyncio.open_unix_connection(self._path)
        self._replies = ReplyReader(_LIMIT)
        while not self._replies.read_announcement():
            self._replies.feed(await _some(reader))
        return reader, writer


class RpcAsker:
    """Asks over MessagePack-RPC, with the project's own client: it tries again once, by itself."""

    def __init__(self, path: Path) -> None:
        self._client = AsyncClient(path, timeout=_ANSWER_SECONDS)

    async def ask(self, request: Request, verb: Verb) -> Reply:
        """Send a request and return its reply."""
        del verb  # the reply is known by its message id
        try:
            return await self._client.ask(request)
        except ServerUnavailableError as error:
            raise UnansweredError(str(error)) from error

    def close(self) -> None:
        """End the connection."""
        self._client.close()


async def _some(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(_CHUNK_BYTES)
    if not data:
        raise ConnectionResetError("the server ended the connection")
    return data
