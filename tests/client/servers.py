"""Servers for tests of the clients: a real one over a dictionary, and one that says anything."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from tlsmgr.errors import Status
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupReply,
    LookupRequest,
    MalformedRequest,
    PolicyReply,
    PolicyRequest,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    StatusReply,
    TicketKeyReply,
    TicketKeyRequest,
    UpdateRequest,
    failure,
)
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen

LIMIT = 65536


class Memory:
    """Answers the six requests from a dictionary; lmtp is not enabled, and no seed of 255 ever comes."""

    def __init__(self) -> None:
        self.sessions: dict[bytes, bytes] = {}

    def answer(self, request: Request) -> Reply | asyncio.Future[Reply]:  # noqa: PLR0911 - one a request
        """Answer one."""
        match request:
            case SeedRequest(size=255):
                return asyncio.get_running_loop().create_future()
            case SeedRequest(size=size):
                return SeedReply(status=Status.OK, seed=bytes([size]) * size)
            case PolicyRequest():
                return PolicyReply(status=Status.OK, cachable=True, timeout=3600)
            case TicketKeyRequest(name=name):
                status = Status.NOT_DONE if name else Status.OK
                return TicketKeyReply(status=status, key_buffer=bytes(88))
            case LookupRequest(cache_type=CacheType.LMTP):
                return LookupReply(status=Status.FAILED)
            case LookupRequest(cache_id=cache_id):
                found = self.sessions.get(cache_id)
                status = Status.NOT_DONE if found is None else Status.OK
                return LookupReply(status=status, session=found or b"")
            case UpdateRequest(cache_id=cache_id, session=session):
                self.sessions[cache_id] = session
                return StatusReply(status=Status.OK)
            case DeleteRequest(cache_id=cache_id):
                gone = self.sessions.pop(cache_id, None)
                return StatusReply(status=Status.NOT_DONE if gone is None else Status.OK)
            case MalformedRequest(verb=verb):
                return failure(verb)


def _ping(params: tuple[object, ...]) -> Mapping[str, object]:
    return {"params": params}


def rpc_dialogue() -> RpcDialogue:
    """Return a dialogue over a memory of its own."""
    return RpcDialogue(LIMIT, RpcMethods({"ping": _ping}, Memory().answer))


@asynccontextmanager
async def rpc_server(path: Path) -> AsyncIterator[SocketServer]:
    """Serve MessagePack-RPC at ``path``."""
    server = SocketServer(
        listen(path, mode=0o600), lambda _: rpc_dialogue(), welcome=frozenset([os.geteuid()])
    )
    await server.start()
    try:
        yield server
    finally:
        await server.drain(0.1)


@contextmanager
def raw_server(path: Path, *answers: bytes) -> Iterator[None]:
    """Answer one connection after the other with these bytes, whatever is asked, then close them all."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=_answer_each, args=(listener, answers), daemon=True)
        thread.start()
        yield
        thread.join(5)


def _answer_each(listener: socket.socket, answers: tuple[bytes, ...]) -> None:
    with ExitStack() as connections:
        for answer in answers:
            connection = connections.enter_context(listener.accept()[0])
            connection.recv(LIMIT)
            connection.sendall(answer)
