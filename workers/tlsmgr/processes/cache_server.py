"""tlsmgr:cache-server: the session caches, the ticket keys, and both client sockets."""

import asyncio
import os
import time
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tlsmgr.config.caches import CacheSettings
from tlsmgr.config.settings import Settings
from tlsmgr.messages import CacheType, LookupRequest, Verb
from tlsmgr.processes.attribute_dialogue import AttributeDialogue
from tlsmgr.processes.cache_methods import CacheMethods
from tlsmgr.processes.farm_source import FarmSources
from tlsmgr.processes.identity import Identity
from tlsmgr.processes.lifecycle import WorkerKind
from tlsmgr.processes.prng_link import PrngLink
from tlsmgr.processes.request_names import request_figures, request_stats
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods, without_params
from tlsmgr.processes.short_way import ShortWay
from tlsmgr.processes.stores import path_in_jail, store_directories, store_in_jail
from tlsmgr.sealing.custody import Custody
from tlsmgr.sealing.hand_over import Side
from tlsmgr.sealing.key_exchange import METHOD
from tlsmgr.sealing.ticket_key_file import TicketKeyFile
from tlsmgr.service.answers import Answers
from tlsmgr.service.durable_file import DurableFile
from tlsmgr.service.entropy_digest import EntropyDigest
from tlsmgr.service.former_keys import FormerKeys
from tlsmgr.service.revocation import revoke
from tlsmgr.service.seeds import SeedReserve
from tlsmgr.service.session_cache import SessionCache
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.service.sharing import Sharing
from tlsmgr.service.ticket_keys import TicketKeys, rotation_mark
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.transport.peer import PeerCredentials, user_ids
from tlsmgr.transport.server import SocketServer
from tlsmgr.transport.unix_socket import listen

_SOCKET_MODE = 0o600
# For the store of a worker that enters a jail: afterwards it may not be within reach.
_OPEN_WAIT_SECONDS = 2.0
_TICKET_KEY_FILE = "tlsmgr_ticket_keys"
_FORMER_KEY_FILE = "tlsmgr_former_ticket_keys"


class CacheServer:
    """The worker that answers smtpd, smtp and every other client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identity = Identity(KIND.name)
        self._custody = Custody(Side.CACHE_SERVER, settings, os.urandom)
        self._sharing = Sharing(time.time)
        self._memory = SessionMemory(settings.tlsmgr_memory_cache_size)
        self._caches: dict[CacheType, SessionCache] = {}
        self._directories: Mapping[CacheType, Path] = {}
        self._servers: list[SocketServer] = []
        self._requests = {"postfix": request_figures(), "rpc": request_figures()}
        self._retiring: set[asyncio.Task[None]] = set()
        self._at_end = AsyncExitStack()

    def open_privileged(self) -> None:
        """Read the sealing key and what opens shared stores, which may be root's alone."""
        self._custody.open_privileged()
        self._sharing.open_privileged(self._settings, _postfix_users(self._settings))

    async def start(self) -> None:
        """Open the stores and both sockets, and serve."""
        settings = self._settings
        self._prng = PrngLink(settings)
        self._at_end.callback(self._prng.close)
        self._at_end.callback(self._custody.close)
        await self._prng.connect()
        await self._custody.start()
        self._seeds = SeedReserve(self._prng.fetch_block)
        self._at_end.push_async_callback(self._seeds.close)
        self._digest = EntropyDigest(self._prng.stir)
        self._at_end.callback(self._digest.close)
        self._open_ticket_keys(settings.data_directory)
        self._at_end.push_async_callback(self._sharing.close)
        self._sharing.start()
        self._farm = FarmSources(
            self._ticket_keys, self._sharing, self._seeds.random_bytes, self._custody.sealer
        )
        self._at_end.push_async_callback(self._farm.close)
        await self._farm.start(settings)
        self._at_end.push_async_callback(self._close_caches)
        self._use(settings)
        self._ticket_keys.rotate_if_told(rotation_mark(settings.data_directory))
        answers = Answers(self._caches, self._seeds, self._ticket_keys)
        own_methods = {
            "ping": without_params(self._identity.ping),
            "stats": without_params(self._stats),
            "revoke": without_params(self._revoke),
            "rotate": without_params(self._ticket_keys.rotate),
            **CacheMethods(self._caches, self._ticket_keys).by_name,
        }
        self._answers = answers
        self._methods = RpcMethods(
            own_methods,
            answers.answer,
            figures=self._requests["rpc"],
            recalled=ShortWay(answers.recall, self._requests["rpc"], Verb.LOOKUP.value).session,
        )
        self._recalled = ShortWay(answers.recall, self._requests["postfix"], LookupRequest).session
        await self._listen(settings)

    def _open_ticket_keys(self, data_directory: Path) -> None:
        file = TicketKeyFile(data_directory / _TICKET_KEY_FILE)
        self._ticket_keys = TicketKeys(
            time.time,
            self._seeds.random_bytes,
            file,
            self._custody.sealer,
            # Without a sealing key that outlives a reboot, no ticket key can.
            durable=DurableFile(file.sync) if self._custody.outlives_reboot else None,
            former=FormerKeys(data_directory / _FORMER_KEY_FILE),
        )
        self._at_end.callback(self._ticket_keys.close)
        self._at_end.push_async_callback(self._ticket_keys.settled)

    def reconfigure(self, settings: Settings) -> None:
        """Take other timeouts, log levels, databases, limits and users over, for all connections."""
        welcome = _postfix_users(settings), user_ids(settings.tlsmgr_authorized_users)  # which may fail
        self._use(settings)
        postfix, rpc = self._servers
        postfix.welcome, rpc.welcome = welcome
        for server in self._servers:
            server.limit_connections(settings.tlsmgr_client_connection_limit)
        self._settings = settings

    def enter_jail(self, root: Path) -> None:
        """Find the PRNG server from inside of ``root``."""
        self._prng.enter_jail(root)
        self._custody.enter_jail(root)
        self._farm.enter_jail(root)
        for cache_type, directory in self._directories.items():
            last_open = partial(SessionStore, directory, checkpoints=True, open_wait=_OPEN_WAIT_SECONDS)
            self._caches[cache_type].enter_jail(last_open, store_in_jail(directory, root, checkpoints=True))
        self._directories = {
            cache_type: path_in_jail(directory, root) or directory
            for cache_type, directory in self._directories.items()
        }

    async def stop(self, deadline: float) -> None:
        """Answer what was read, commit what was taken, and close."""
        async with self._at_end:  # each stage takes place, whatever the others come to
            await asyncio.gather(*(server.drain(deadline) for server in self._servers))

    async def _close_caches(self) -> None:
        await asyncio.gather(*(cache.close() for cache in self._caches.values()), *self._retiring)

    async def _listen(self, settings: Settings) -> None:
        endpoints = (
            (
                settings.queue_directory / "private" / settings.tlsmgr_service_name,
                self._attribute_dialogue,
                _postfix_users(settings),
            ),
            (
                settings.tlsmgr_run_directory / f"{KIND.name}.sock",
                self._rpc_dialogue,
                user_ids(settings.tlsmgr_authorized_users),
            ),
        )
        for path, make_dialogue, welcome in endpoints:
            listener = listen(path, mode=_SOCKET_MODE)
            self._servers.append(
                SocketServer(
                    listener,
                    make_dialogue,
                    welcome=welcome,
                    connection_limit=settings.tlsmgr_client_connection_limit,
                )
            )
        for server in self._servers:
            await server.start()

    def _use(self, settings: Settings) -> None:
        directories = store_directories(settings)
        self._memory.use_limit(settings.tlsmgr_memory_cache_size)
        for cache_type, cache_settings in settings.caches.items():
            directory = directories.get(cache_type)
            former = self._caches.get(cache_type)
            if former is not None and directory == self._directories.get(cache_type):
                former.use(cache_settings)
            else:
                if former is not None:
                    self._retire(former)
                self._caches[cache_type] = self._open_cache(cache_settings, directory)
            self._caches[cache_type].share(self._sharing.sessions(cache_settings))
        self._directories = directories
        self._ticket_keys.timeout = settings.caches[CacheType.SMTPD].timeout
        self._ticket_keys.lease = settings.tlsmgr_ticket_key_lease
        self._farm.use(settings)
        self._sharing.leave_unnamed(settings)

    def _open_cache(self, settings: CacheSettings, directory: Path | None) -> SessionCache:
        opener = None if directory is None else partial(SessionStore, directory, checkpoints=True)
        return SessionCache(settings, opener, time.time, self._digest.add, self._memory, self._custody.sealer)

    def _retire(self, cache: SessionCache) -> None:
        # Others are served meanwhile: it waits for no disk, and for nobody's lock.
        task = asyncio.ensure_future(cache.close(durably=False))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _attribute_dialogue(self, _: PeerCredentials) -> AttributeDialogue:
        return AttributeDialogue(
            self._settings.tlsmgr_request_size_limit,
            self._answers.answer,
            announces=self._settings.tlsmgr_protocol_announcement,
            figures=self._requests["postfix"],
            recalled=self._recalled,
        )

    def _rpc_dialogue(self, peer: PeerCredentials) -> RpcDialogue:
        methods = self._methods.with_method(METHOD, partial(self._custody.answer, peer))
        return RpcDialogue(self._settings.tlsmgr_request_size_limit, methods)

    def _revoke(self) -> Coroutine[Any, Any, Mapping[str, object]]:
        return revoke(self._custody, self._ticket_keys, self._caches, self._directories, self._sharing)

    def _stats(self) -> Mapping[str, object]:
        postfix, rpc = self._servers
        return self._identity.stats(
            caches={cache_type.value: cache.stats() for cache_type, cache in self._caches.items()},
            shared_stores=self._sharing.stats(),
            seeds=asdict(self._seeds.figures),
            sealing=self._custody.figures(),
            ticket_keys=self._ticket_keys.figures.as_map(),
            farm={} if self._ticket_keys.farm is None else self._ticket_keys.farm.figures(),
            connections={"postfix": asdict(postfix.figures), "rpc": asdict(rpc.figures)},
            **request_stats(self._requests),
        )


def _postfix_users(settings: Settings) -> frozenset[int]:
    return user_ids(["root", settings.mail_owner])


KIND = WorkerKind(name="cache-server", make=CacheServer)
