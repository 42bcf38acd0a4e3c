"""tlsmgr:expiry-sweeper: removes the sessions whose time is over."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import Status
from tlsmgr.messages import CacheType
from tlsmgr.processes.identity import Identity
from tlsmgr.processes.lifecycle import WorkerKind
from tlsmgr.processes.prng_link import PrngLink
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods, without_params
from tlsmgr.processes.stores import store_directories
from tlsmgr.service.entropy_digest import EntropyDigest
from tlsmgr.service.swept_cache import SweptCache
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.transport.peer import user_ids
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen


class ExpirySweeper:
    """The worker that sweeps each cache once in the time that its sessions live."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identity = Identity(KIND.name)
        self._caches: dict[CacheType, SweptCache] = {}
        self._directories: Mapping[CacheType, Path] = {}
        self._server: SocketServer | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    def open_privileged(self) -> None:
        """Open nothing: root's rights are not needed here."""

    async def start(self) -> None:
        """Begin to sweep, and serve."""
        self._prng = PrngLink(self._settings)
        await self._prng.connect()
        self._digest = EntropyDigest(self._prng.stir)
        self._use(self._settings)
        self._methods = RpcMethods(
            {
                "ping": without_params(self._identity.ping),
                "stats": without_params(self._stats),
                "sweep": without_params(self._sweep),
            }
        )
        self._server = SocketServer(
            listen(self._settings.tlsmgr_run_directory / f"{KIND.name}.sock", mode=0o600),
            self._rpc_dialogue,
            welcome=user_ids(self._settings.tlsmgr_authorized_users),
        )
        await self._server.start()

    def reconfigure(self, settings: Settings) -> None:
        """Take other timeouts, databases, limits and users over."""
        self._use(settings)
        if self._server is not None:
            self._server.welcome = user_ids(settings.tlsmgr_authorized_users)
        self._settings = settings

    def enter_jail(self, root: Path) -> None:
        """Find the PRNG server from inside of ``root``."""
        self._prng.enter_jail(root)

    async def stop(self, deadline: float) -> None:
        """Stop between two steps of a sweep, and close."""
        await asyncio.gather(*(cache.close() for cache in self._caches.values()), *self._retiring)
        if self._server is not None:
            await self._server.drain(deadline)
        if hasattr(self, "_prng"):
            self._digest.close()
            self._prng.close()

    def _use(self, settings: Settings) -> None:
        directories = store_directories(settings)
        for cache_type, former in tuple(self._caches.items()):
            if directories.get(cache_type) != self._directories.get(cache_type):
                del self._caches[cache_type]
                self._retire(former)
        for cache_type, directory in directories.items():
            timeout = settings.caches[cache_type].timeout
            if cache_type in self._caches:
                self._caches[cache_type].use_timeout(timeout)
            else:
                opener = partial(SessionStore, directory, checkpoints=False)
                self._caches[cache_type] = SweptCache(
                    cache_type.value, timeout, opener, time.time, self._digest.add
                )
        self._directories = directories

    def _retire(self, cache: SweptCache) -> None:
        task = asyncio.ensure_future(cache.close())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _rpc_dialogue(self) -> RpcDialogue:
        return RpcDialogue(self._settings.tlsmgr_request_size_limit, self._methods)

    async def _sweep(self) -> Mapping[str, object]:
        caches = dict(self._caches)
        sweeps = await asyncio.gather(*(cache.sweep() for cache in caches.values()))
        return {
            "status": int(Status.OK),
            "caches": {
                cache_type.value: asdict(done) for cache_type, done in zip(caches, sweeps, strict=True)
            },
        }

    def _stats(self) -> Mapping[str, object]:
        return self._identity.stats(
            caches={
                cache_type.value: {"sweeps": cache.sweeps, "dropped": cache.dropped}
                for cache_type, cache in self._caches.items()
            }
        )


KIND = WorkerKind(name="expiry-sweeper", make=ExpirySweeper)
