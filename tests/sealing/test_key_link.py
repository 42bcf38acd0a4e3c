import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tlsmgr.errors import ProtocolError, ServerUnavailableError, Status, TlsmgrError
from tlsmgr.sealing.key_exchange import ImpostorError
from tlsmgr.sealing.key_link import KeyLink
from tlsmgr.wire import rpc

US = (os.getpid(), os.getuid())


class OtherWorker:
    """What listens at the socket: remembers what it was sent, and answers with fixed bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.received = b""
        self.has_ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a call if there is one, answer byte by byte, and wait for the end."""
        calls = rpc.CallReader(65536)
        while data := await reader.read(4096):
            self.received += data
            calls.feed(data)
            if calls.next_call() is not None:
                for byte in self.answer:
                    writer.write(bytes([byte]))
                    await writer.drain()
                if not self.answer:
                    break
        writer.close()
        self.has_ended.set()


@asynccontextmanager
async def listening(path: Path, answer: bytes) -> AsyncIterator[OtherWorker]:
    """Listen at ``path``, in this process."""
    worker = OtherWorker(answer)
    server = await asyncio.start_unix_server(worker.serve, path)
    try:
        yield worker
        await worker.has_ended.wait()
    finally:
        server.close()
        await server.wait_closed()


def ask(path: Path, answer: bytes, *, trusted: bool = True) -> tuple[object, bytes]:
    """Ask once; return the result or the error, and what the listener got."""

    async def run() -> tuple[object, bytes]:
        link = KeyLink(path, lambda *peer: trusted and peer == US)
        async with listening(path, answer) as worker:
            try:
                result = await link(b"k" * 32, b"revoked!")
            except TlsmgrError as error:
                result = error
            await worker.has_ended.wait()
            return result, worker.received

    return asyncio.run(run())


def test_the_other_worker_is_told_our_keys_and_tells_its_own(tmp_path: Path) -> None:
    """By the method of that name, on a connection that ends with the answer."""
    result, received = ask(tmp_path / "sock", rpc.encode_result(1, {"status": 0, "keys": b"theirs"}))
    assert result == {"status": 0, "keys": b"theirs"}
    assert received == rpc.encode_call(1, "sealing_key", (b"k" * 32, b"revoked!"))


def test_whoever_else_listens_at_the_socket_is_told_nothing(tmp_path: Path) -> None:
    """Not one byte is sent to it."""
    result, received = ask(tmp_path / "sock", rpc.encode_result(1, {}), trusted=False)
    assert isinstance(result, ImpostorError)
    assert "is not the worker of that name" in str(result)
    assert received == b""


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", ServerUnavailableError),
        (rpc.encode_error(1, Status.NOT_DONE, "for the other worker alone"), ProtocolError),
        (b"\xc1", ProtocolError),
        (b"\xdb\x00\x01\x00\x00" + bytes(5000), ProtocolError),
    ],
)
def test_any_other_answer_is_an_error_that_the_exchange_knows(
    tmp_path: Path, answer: bytes, error: type[TlsmgrError]
) -> None:
    """An end, an error, garbage, or too much."""
    result, _ = ask(tmp_path / "sock", answer)
    assert isinstance(result, error)


def test_without_a_socket_the_other_worker_is_not_there(tmp_path: Path) -> None:
    """At once, not after a timeout."""
    with pytest.raises(ServerUnavailableError, match="No such file"):
        asyncio.run(_ask_nobody(tmp_path / "sock"))


async def _ask_nobody(path: Path) -> object:
    return await KeyLink(path, lambda *_: True)(b"", b"")
