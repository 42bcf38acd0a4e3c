"""Usage: worker_pair SIDE RUN_DIRECTORY. Keeps the sealing keys as a worker does; prints their ids."""

import asyncio
import fcntl
import os
import sys
from pathlib import Path

from tlsmgr.errors import TlsmgrError
from tlsmgr.sealing.hand_over import HandOver, Side
from tlsmgr.sealing.key_exchange import KeyExchange
from tlsmgr.sealing.key_link import KeyLink
from tlsmgr.sealing.keys import SealingKeys
from tlsmgr.sealing.other_worker import OtherWorker
from tlsmgr.transport.peer import peer_credentials
from tlsmgr.wire import rpc


def _print_ids(keys: SealingKeys) -> None:
    sys.stdout.write(" ".join(key.id.hex() for key in keys.keys) + "\n")
    sys.stdout.flush()


async def _serve(side: Side, run_directory: Path) -> None:
    other = OtherWorker(run_directory, side.other.value, {os.geteuid()})
    link = KeyLink(run_directory / f"{side.other.value}.sock", other.is_peer)
    hand_over = HandOver(side, os.urandom, now=asyncio.get_running_loop().time())
    exchange = KeyExchange(hand_over, link, other.is_peer, lambda _: None)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls = rpc.CallReader(65536)
        while data := await reader.read(4096):
            calls.feed(data)
            if (call := calls.next_call()) is None:
                continue
            peer = peer_credentials(writer.get_extra_info("socket"))
            try:
                result = exchange.answer(peer.process_id, peer.user_id, call.params)
                writer.write(rpc.encode_result(call.message_id or 0, result))
            except TlsmgrError as error:
                writer.write(rpc.encode_error(call.message_id or 0, error.status, str(error)))
        writer.close()

    await exchange.obtain()
    path = run_directory / f"{side.value}.sock"
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(answer, path)
    _print_ids(hand_over.keys)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    worker, directory = Side(sys.argv[1]), Path(sys.argv[2])
    pid_file = os.open(directory / f"{worker.value}.pid", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.lockf(pid_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    asyncio.run(_serve(worker, directory))
