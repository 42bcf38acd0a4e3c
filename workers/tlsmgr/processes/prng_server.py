"""tlsmgr:prng-server: the random number generator, its entropy source, its exchange file."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import SEED_SIZE_MAX
from tlsmgr.prng.exchange_file import ExchangeFile, ExchangeFileError
from tlsmgr.prng.keeper import Intervals, Keeper
from tlsmgr.prng.pool import Pool
from tlsmgr.prng.sources import parse_source
from tlsmgr.processes.identity import Identity
from tlsmgr.processes.lifecycle import WorkerKind
from tlsmgr.processes.request_names import request_stats
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods, without_params
from tlsmgr.sealing.custody import Custody
from tlsmgr.sealing.hand_over import Side
from tlsmgr.sealing.key_exchange import METHOD
from tlsmgr.storage.location import place_database
from tlsmgr.transport.peer import PeerCredentials, user_id, user_ids
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen

_log = logging.getLogger(__name__)

#: Bytes of one block: 0.6 ms of this process's time, in which nobody else is answered.
BLOCK_SIZE_MAX = 32768

# Far more than anybody can serve between two calls; without a limit, one call could make the
# count of requests larger than any client can read.
_SERVED_MAX = 1 << 24


class PrngServer:
    """The worker that gives out random bytes, and takes in whatever is stirred in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identity = Identity(KIND.name)
        self._custody = Custody(Side.PRNG_SERVER, settings, os.urandom)
        self._exchange_file = _exchange_file(settings)
        self._keeper = Keeper(
            pool=Pool(),
            source=parse_source(settings.tls_random_source),
            exchange_file=self._exchange_file,
            intervals=_intervals(settings),
        )
        self._keeping: asyncio.Task[None] | None = None
        self._server: SocketServer | None = None

    def open_privileged(self) -> None:
        """Open the entropy source, which may be root's alone."""
        self._keeper.open_source()
        self._custody.open_privileged()

    async def start(self) -> None:
        """Begin to keep the pool, and serve: from the kernel's bytes until the source has answered."""
        self._methods = RpcMethods(
            {
                "ping": without_params(self._identity.ping),
                "stats": without_params(self._stats),
                "seed": self._seed,
                "block": self._block,
                "stir": self._stir,
            }
        )
        await self._custody.start()
        self._server = SocketServer(
            listen(self._settings.tlsmgr_run_directory / f"{KIND.name}.sock", mode=0o600),
            self._rpc_dialogue,
            welcome=user_ids(self._settings.tlsmgr_authorized_users),
            connection_limit=self._settings.tlsmgr_client_connection_limit,
        )
        if self._exchange_file is not None:
            # Now, since a chroot jail may follow; the keeper says why it cannot be opened.
            with contextlib.suppress(ExchangeFileError):
                self._exchange_file.open()
        self._keeping = asyncio.ensure_future(self._keeper.run())
        self._keeping.add_done_callback(_report)
        await self._server.start()

    def reconfigure(self, settings: Settings) -> None:
        """Take other periods, limits and users over."""
        welcome = user_ids(settings.tlsmgr_authorized_users)  # which may fail
        self._keeper.set_intervals(_intervals(settings))
        if self._server is not None:
            self._server.welcome = welcome
            self._server.limit_connections(settings.tlsmgr_client_connection_limit)
        self._settings = settings

    def enter_jail(self, root: Path) -> None:
        """Go on with the descriptors that are open."""
        self._custody.enter_jail(root)

    async def stop(self, deadline: float) -> None:
        """Answer what was read, and save the exchange file."""
        if self._server is not None:
            await self._server.drain(deadline)
        self._custody.close()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._keeper.close()

    def _rpc_dialogue(self, peer: PeerCredentials) -> RpcDialogue:
        methods = self._methods.with_method(METHOD, partial(self._custody.answer, peer))
        return RpcDialogue(self._settings.tlsmgr_request_size_limit, methods)

    def _seed(self, params: tuple[object, ...]) -> Mapping[str, object]:
        match params:
            case (int(size),) if _is_number(size, 1, SEED_SIZE_MAX):
                return {"status": int(Status.OK), "seed": self._keeper.seed(size)}
        raise ProtocolError(f"seed takes one size, 1 to {SEED_SIZE_MAX}")

    def _block(self, params: tuple[object, ...]) -> Mapping[str, object]:
        """Return a block for somebody who serves seeds from it, and count those served before."""
        match params:
            case (int(size), int(served), bytes(times)) if _is_number(size, 1, BLOCK_SIZE_MAX) and _is_number(
                served, 0, _SERVED_MAX
            ):
                block = self._keeper.block(size, served=served, times=times)
                return {"status": int(Status.OK), "block": block}
        raise ProtocolError(f"block takes a size, 1 to {BLOCK_SIZE_MAX}, a count, and bytes")

    def _stir(self, params: tuple[object, ...]) -> Mapping[str, object]:
        match params:
            case (bytes(data),):
                self._keeper.stir(data)
                return {"status": int(Status.OK)}
        raise ProtocolError("stir takes bytes")

    def _stats(self) -> Mapping[str, object]:
        return self._identity.stats(
            sealing=self._custody.figures(),
            connections={} if self._server is None else {"rpc": asdict(self._server.figures)},
            **request_stats({"rpc": self._methods.figures}),
            **asdict(self._keeper.statistics()),
        )


def _is_number(value: int, minimum: int, maximum: int) -> bool:
    # Python takes True for a number; a client that sends it means something else.
    return type(value) is int and minimum <= value <= maximum


def _intervals(settings: Settings) -> Intervals:
    return Intervals(
        source_bytes=settings.tls_random_bytes,
        reseed_period=settings.tls_random_reseed_period,
        update_period=settings.tls_random_prng_update_period,
    )


def _exchange_file(settings: Settings) -> ExchangeFile | None:
    path = settings.tls_random_exchange_name
    if path is None:
        return None
    placement = place_database(
        path,
        data_directory=settings.data_directory,
        owner_uid=user_id(settings.mail_owner),
        mail_owner=settings.mail_owner,
        kind="file",
    )
    for warning in placement.warnings:
        _log.warning("%s", warning)
    return ExchangeFile(placement.path)


def _report(keeping: asyncio.Task[None]) -> None:
    if not keeping.cancelled() and (error := keeping.exception()) is not None:
        _log.critical("the pool is reseeded and saved no longer, only served", exc_info=error)


KIND = WorkerKind(name="prng-server", make=PrngServer)
