"""An EGD server that answers as a test tells it to: well, late, short, wrong or not at all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True, kw_only=True)
class EgdServer:
    """What the server got, and how many connections it had."""

    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def egd_server(path: Path, answers: Sequence[bytes], *, hang: bool = False) -> AsyncIterator[EgdServer]:
    """Serve at ``path``: answer each request of two bytes with these pieces, one write each.

    After its answer the server waits for the next request, or closes the connection when
    there were no pieces; with ``hang`` it waits for ever instead of closing.
    """
    server = EgdServer()
    stop = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while request := await reader.read(2):
                server.requests.append(request)
                for piece in answers:
                    writer.write(piece)
                    await writer.drain()
                    # Lets the reader see this piece before the next one.
                    await asyncio.sleep(0)
                if hang:
                    await stop.wait()
                if not answers or b"" in answers:
                    break
        finally:
            writer.close()

    listener = await asyncio.start_unix_server(serve, path)
    try:
        yield server
    finally:
        stop.set()
        listener.close()
        # Lets the connections see their ends before the loop is closed.
        await asyncio.sleep(0)
