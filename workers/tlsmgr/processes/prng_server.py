"""tlsmgr:prng-server: the random number generator, its entropy source, its exchange file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import SEED_SIZE_MAX
from tlsmgr.prng.pool import Pool
from tlsmgr.processes.identity import Identity
from tlsmgr.processes.lifecycle import WorkerKind
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods, without_params
from tlsmgr.transport.peer import user_ids
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen

#: Bytes of one block: 0.5 ms of this process's time.
BLOCK_SIZE_MAX = 8192


class PrngServer:
    """The worker that gives out random bytes, and takes in whatever is stirred in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identity = Identity(KIND.name)
        self._pool = Pool()
        self._server: SocketServer | None = None

    def open_privileged(self) -> None:
        """Open the entropy source, which may be root's alone."""

    async def start(self) -> None:
        """Fill the pool, and serve."""
        self._methods = RpcMethods(
            {
                "ping": without_params(self._identity.ping),
                "stats": without_params(self._stats),
                "seed": self._seed,
                "block": self._block,
                "stir": self._stir,
            }
        )
        self._server = SocketServer(
            listen(self._settings.tlsmgr_run_directory / f"{KIND.name}.sock", mode=0o600),
            self._rpc_dialogue,
            welcome=user_ids(self._settings.tlsmgr_authorized_users),
        )
        await self._server.start()

    def reconfigure(self, settings: Settings) -> None:
        """Take other periods, limits and users over."""
        if self._server is not None:
            self._server.welcome = user_ids(settings.tlsmgr_authorized_users)
        self._settings = settings

    def enter_jail(self, root: Path) -> None:
        """Go on with the descriptors that are open."""
        del root  # nothing here is found by its path again

    async def stop(self, deadline: float) -> None:
        """Answer what was read, and save the exchange file."""
        if self._server is not None:
            await self._server.drain(deadline)

    def _rpc_dialogue(self) -> RpcDialogue:
        return RpcDialogue(self._settings.tlsmgr_request_size_limit, self._methods)

    def _seed(self, params: tuple[object, ...]) -> Mapping[str, object]:
        match params:
            case (int(size),) if 1 <= size <= SEED_SIZE_MAX:
                return {"status": int(Status.OK), "seed": self._pool.generate(size)}
        raise ProtocolError(f"seed takes one size, 1 to {SEED_SIZE_MAX}")

    def _block(self, params: tuple[object, ...]) -> Mapping[str, object]:
        """Return a block for somebody who serves seeds from it, and count those served before."""
        match params:
            case (int(size), int(served)) if 1 <= size <= BLOCK_SIZE_MAX and served >= 0:
                self._pool.count_requests(served)
                return {"status": int(Status.OK), "block": self._pool.generate(size, requests=0)}
        raise ProtocolError(f"block takes a size, 1 to {BLOCK_SIZE_MAX}, and a count")

    def _stir(self, params: tuple[object, ...]) -> Mapping[str, object]:
        match params:
            case (bytes(data),):
                self._pool.stir(data)
                return {"status": int(Status.OK)}
        raise ProtocolError("stir takes bytes")

    def _stats(self) -> Mapping[str, object]:
        return self._identity.stats(pool=asdict(self._pool.statistics()))


KIND = WorkerKind(name="prng-server", make=PrngServer)
