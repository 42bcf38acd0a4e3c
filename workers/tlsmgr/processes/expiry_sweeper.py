"""tlsmgr:expiry-sweeper: removes the sessions whose time is over."""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import Status, StoreError
from tlsmgr.messages import CacheType
from tlsmgr.processes.identity import Identity
from tlsmgr.processes.lifecycle import WorkerKind
from tlsmgr.processes.metrics_endpoint import MetricsEndpoint
from tlsmgr.processes.prng_link import PrngLink
from tlsmgr.processes.request_names import request_stats
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods, without_params
from tlsmgr.processes.stores import store_directories, store_in_jail
from tlsmgr.service.entropy_digest import EntropyDigest
from tlsmgr.service.swept_cache import Sweep, SweptCache
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.transport.peer import PeerCredentials, user_ids
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen

# While the cache server makes the same store; nobody's handshake waits for this process.
_OPEN_WAIT_SECONDS = 0.5
# For the store of a worker that enters a jail: afterwards it may not be within reach.
_LAST_OPEN_WAIT_SECONDS = 2.0
# On a busy machine the cache server's clients come first. Not 19, as with a store's lock in its hands
# it has them wait.
_NICENESS = 10


class ExpirySweeper:
    """The worker that sweeps each cache once in the time that its sessions live."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identity = Identity(KIND.name)
        self._caches: dict[CacheType, SweptCache] = {}
        self._directories: Mapping[CacheType, Path] = {}
        self._server: SocketServer | None = None
        self._metrics = MetricsEndpoint(settings.tlsmgr_run_directory)
        self._at_end = ExitStack()
        self._retiring: set[asyncio.Task[None]] = set()

    def open_privileged(self) -> None:
        """Load what the user that root becomes may not be able to read."""
        if self._settings.tlsmgr_metrics_address is not None:
            self._metrics.load()

    async def start(self) -> None:
        """Begin to sweep, and serve."""
        os.nice(_NICENESS)
        self._prng = PrngLink(self._settings)
        self._at_end.callback(self._prng.close)
        await self._prng.connect()
        self._digest = EntropyDigest(self._prng.stir)
        self._at_end.callback(self._digest.close)
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
            connection_limit=self._settings.tlsmgr_client_connection_limit,
        )
        await self._server.start()
        self._at_end.callback(self._metrics.close)
        self._metrics.use(self._settings.tlsmgr_metrics_address)

    def reconfigure(self, settings: Settings) -> None:
        """Take other timeouts, databases, limits and users over."""
        welcome = user_ids(settings.tlsmgr_authorized_users)  # which may fail
        self._use(settings)
        self._metrics.use(settings.tlsmgr_metrics_address)
        if self._server is not None:
            self._server.welcome = welcome
            self._server.limit_connections(settings.tlsmgr_client_connection_limit)
        self._settings = settings

    def enter_jail(self, root: Path) -> None:
        """Find the PRNG server from inside of ``root``."""
        self._prng.enter_jail(root)
        self._metrics.enter_jail(root)
        for cache_type, directory in self._directories.items():
            last_open = partial(SessionStore, directory, checkpoints=False, open_wait=_LAST_OPEN_WAIT_SECONDS)
            self._caches[cache_type].enter_jail(last_open, store_in_jail(directory, root, checkpoints=False))

    async def stop(self, deadline: float) -> None:
        """Stop between two steps of a sweep, and close."""
        with self._at_end:  # which takes place, whatever the others come to
            await asyncio.gather(*(cache.close() for cache in self._caches.values()), *self._retiring)
            if self._server is not None:
                await self._server.drain(deadline)

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
                opener = partial(SessionStore, directory, checkpoints=False, open_wait=_OPEN_WAIT_SECONDS)
                self._caches[cache_type] = SweptCache(
                    cache_type.value, timeout, opener, time.time, self._digest.add
                )
        self._directories = directories

    def _retire(self, cache: SweptCache) -> None:
        task = asyncio.ensure_future(cache.close(durably=False))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _rpc_dialogue(self, _: PeerCredentials) -> RpcDialogue:
        return RpcDialogue(self._settings.tlsmgr_request_size_limit, self._methods)

    async def _sweep(self) -> Mapping[str, object]:
        caches = {cache_type.value: cache for cache_type, cache in self._caches.items()}
        outcomes = await asyncio.gather(*map(_outcome, caches.values()))
        done: dict[str, object] = {}
        failures: dict[str, object] = {}
        for name, outcome in zip(caches, outcomes, strict=True):
            if isinstance(outcome, StoreError):
                failures[name] = str(outcome)
            else:
                done[name] = asdict(outcome)
        status = Status.NOT_DONE if failures else Status.OK
        return {"status": int(status), "caches": done, "failures": failures}

    def _stats(self) -> Mapping[str, object]:
        return self._identity.stats(
            caches={
                cache_type.value: {
                    "sweeps": cache.sweeps,
                    "dropped": cache.dropped,
                    **asdict(cache.figures),
                }
                for cache_type, cache in self._caches.items()
            },
            connections={} if self._server is None else {"rpc": asdict(self._server.figures)},
            **request_stats({"rpc": self._methods.figures}),
        )


async def _outcome(cache: SweptCache) -> Sweep | StoreError:
    """Sweep a cache; one that fails does not keep the others' outcome back."""
    try:
        return await cache.sweep()
    except StoreError as error:
        return error


KIND = WorkerKind(name="expiry-sweeper", make=ExpirySweeper)
