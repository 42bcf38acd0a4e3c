"""The way to the other worker's sealing keys: a connection for each question, and only to that worker."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tlsmgr.errors import ServerUnavailableError
from tlsmgr.sealing.key_exchange import METHOD, ImpostorError
from tlsmgr.transport.peer import peer_credentials
from tlsmgr.wire import rpc

_MESSAGE_ID = 1
_RESPONSE_SIZE_MAX = 4096


class KeyLink:
    """Asks the worker behind a socket; what a ``KeyExchange`` calls.

    Attributes:
        path: where the socket is; another one from inside a chroot jail.

    Args:
        path: the other worker's MessagePack-RPC socket.
        is_other: tells whether a process id and a user id are the other worker's. Whoever else
            listens at the socket is told nothing.
    """

    def __init__(self, path: Path, is_other: Callable[[int, int], bool]) -> None:
        self.path = path
        self._is_other = is_other

    async def __call__(self, keys: bytes, revoked: bytes) -> object:
        """Return the result of the other worker's method; waits as long as that takes.

        Raises:
            ServerUnavailableError: it does not answer.
            ImpostorError: another process is in its place.
            ProtocolError: its answer makes no sense, or it is an error.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.path))
        except OSError as error:
            raise self._unavailable(error.strerror or str(error)) from error
        try:
            self._check(writer)
            writer.write(rpc.encode_call(_MESSAGE_ID, METHOD, (keys, revoked)))
            return rpc.result_of(await self._response(reader))
        finally:
            writer.close()

    def _check(self, writer: asyncio.StreamWriter) -> None:
        try:
            peer = peer_credentials(writer.get_extra_info("socket"))
        except OSError as error:
            raise self._unavailable("it ended the connection") from error
        if not self._is_other(peer.process_id, peer.user_id):
            raise ImpostorError(
                f"{self.path}: uid {peer.user_id}, pid {peer.process_id} is not the worker of that name"
            )

    async def _response(self, reader: asyncio.StreamReader) -> rpc.Response:
        responses = rpc.ResponseReader(_RESPONSE_SIZE_MAX)
        while (response := responses.next_response()) is None:
            try:
                data = await reader.read(_RESPONSE_SIZE_MAX)
            except OSError as error:
                raise self._unavailable(error.strerror or str(error)) from error
            if not data:
                raise self._unavailable("it ended the connection")
            responses.feed(data)
        return response

    def _unavailable(self, reason: str) -> ServerUnavailableError:
        return ServerUnavailableError(f"{self.path}: {reason}")
