"""The stores that this host shares with others, from the start of the cache server to its end."""

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tlsmgr.config.caches import CacheSettings
from tlsmgr.config.settings import Settings
from tlsmgr.errors import ConfigurationError
from tlsmgr.farm.secret_file import read_farm_secret
from tlsmgr.messages import CacheType
from tlsmgr.private_file import bad_private_file, read_private_file
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.kept_farm_keys import KeptFarmKeys
from tlsmgr.service.redis_key_source import RedisKeySource
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.shared_entries import SharedEntries
from tlsmgr.service.shared_keys import SharedKeys
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.service.shared_sessions import SharedSessions
from tlsmgr.service.shared_writes import SharedWrites
from tlsmgr.shared_store.address import Credentials, StoreAddress, parse_credentials
from tlsmgr.shared_store.opening import open_shared_store
from tlsmgr.shared_store.store import SharedStore

_log = logging.getLogger(__name__)

_SECRET_PARAMETER: Final = "tlsmgr_farm_secret_file"  # noqa: S105  # a name
_CREDENTIALS_PARAMETER: Final = "tlsmgr_redis_credentials_file"
_KEPT_KEYS: Final = "tlsmgr_farm_ticket_keys"
_CREDENTIALS_SIZE_MAX: Final = 1024
# What still waits when this worker ends has so long to get out.
_DRAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What there is to one store with sessions."""

    link: SharedLink
    writes: SharedWrites
    mark: RevocationMark


class Sharing:
    """All shared stores of this process; none without a parameter that names one.

    A URL that the configuration names only after the start takes effect at the next one: what it
    takes may be root's, and the event loop would wait for the disk.

    Args:
        clock: the time of day in seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sealer: SharedSealer | None = None
        self._fingerprint = ""
        self._stores: dict[StoreAddress, SharedStore] = {}
        self._shared: dict[StoreAddress, _Shared] = {}
        self._sessions: dict[tuple[StoreAddress, CacheType], SharedSessions] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def open_privileged(self, settings: Settings, owners: Collection[int]) -> None:
        """Read the farm's secret, user and password, and the files of TLS; nothing is connected yet.

        Args:
            settings: which stores there are, and where the files are.
            owners: the user ids that may own the files.

        Raises:
            ConfigurationError: a file cannot be used, or the client for such stores is missing.
        """
        addresses = _addresses(settings)
        if not addresses:
            return
        path = settings.tlsmgr_farm_secret_file
        if path is None:  # the settings have been checked for that
            raise ConfigurationError(f"{_SECRET_PARAMETER}: expected a file")
        secret = read_farm_secret(path, parameter=_SECRET_PARAMETER, owners=owners)
        self._sealer = SharedSealer(secret.store_secret, os.urandom)
        self._fingerprint = secret.fingerprint
        credentials = _credentials(settings, owners)
        self._stores = {address: open_shared_store(address, credentials) for address in addresses}

    def start(self) -> None:
        """Begin to look which stores answer."""
        if self._sealer is None:
            return
        luck = random.SystemRandom().random
        for address, store in self._stores.items():
            link = SharedLink(store, str(address), luck)
            mark = RevocationMark(link, self._sealer)
            self._shared[address] = _Shared(link=link, writes=SharedWrites(link, mark), mark=mark)
            mark.start()
            link.start()

    def sessions(self, settings: CacheSettings) -> SharedSessions | None:
        """Return what a cache has behind it: always the same object for a cache and a store."""
        address = None if settings.database is None else settings.database.shared
        if address is None:
            return None
        shared = self._shared.get(address)
        if shared is None or self._sealer is None:
            _log.warning(
                "the %s cache will use the shared store %s when this process is restarted",
                settings.cache_type.value,
                address,
            )
            return None
        place = address, settings.cache_type
        if place not in self._sessions:
            entries = SharedEntries(settings.cache_type, self._sealer, shared.mark)
            self._sessions[place] = SharedSessions(
                settings.cache_type, entries, shared.link, shared.writes, shared.mark, self._clock
            )
        self._sessions[place].timeout = settings.timeout
        return self._sessions[place]

    def key_source(
        self, settings: Settings, random_bytes: Callable[[int], bytes], sealer: Sealer
    ) -> RedisKeySource | None:
        """Return the source of ticket keys that the configuration names, if it is a store, and open.

        Args:
            settings: the parameters.
            random_bytes: what keys are made of.
            sealer: seals the keys on this host's disk.
        """
        address = settings.tlsmgr_ticket_key_source.store
        shared = None if address is None else self._shared.get(address)
        if shared is None or self._sealer is None:
            _log.warning("ticket keys will come from %s when this process is restarted", address)
            return None
        keys = SharedKeys(shared.link, self._sealer)
        kept = KeptFarmKeys(settings.data_directory / _KEPT_KEYS, sealer)
        return RedisKeySource(
            keys, shared.mark, settings, self._clock, random_bytes, fingerprint=self._fingerprint, kept=kept
        )

    def leave_unnamed(self, settings: Settings) -> None:
        """Leave the stores that the configuration names no more; what waits for them is sent, for a second.

        Call it when nobody looks up or saves there any more. A key source that still ends is refused.
        """
        for address in self._shared.keys() - set(_addresses(settings)):
            _log.info("leaving the shared store %s", address)
            for place in [place for place in self._sessions if place[0] == address]:
                self._sessions.pop(place).close()
            task = asyncio.ensure_future(_close(self._shared.pop(address)))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def revoke(self) -> Awaitable[Mapping[str, str]]:
        """Have no session found any more that is in a store: here at once.

        Returns:
            By store, why other hosts may still find them, and this one after a restart; it ends when
            that is known, and is tried again then.
        """
        now = self._clock()
        moves = {}
        for address, shared in self._shared.items():
            # What waits is dropped by it. A task: whoever does not wait for the outcome must not end it.
            moves[f"shared store {address}"] = asyncio.ensure_future(shared.mark.move(now))
        return _reasons(moves)

    def stats(self) -> Mapping[str, object]:
        """Return the figures of each store, by its address."""
        return {
            str(address): {
                **shared.link.as_map(),
                "forged_marks": shared.mark.forged,
                "queue": shared.writes.as_map(),
            }
            for address, shared in self._shared.items()
        }

    async def close(self) -> None:
        """Send what still waits, for a second at most, and close all."""
        for sessions in self._sessions.values():
            sessions.close()
        await asyncio.gather(*(_close(shared) for shared in self._shared.values()), *self._leaving)


async def _close(shared: _Shared) -> None:
    shared.mark.close()
    await shared.writes.drain(_DRAIN_SECONDS)
    await shared.link.close()


async def _reasons(moves: Mapping[str, asyncio.Future[str]]) -> Mapping[str, str]:
    if moves:
        await asyncio.wait(list(moves.values()))
    return {store: reason for store, move in moves.items() if (reason := move.result())}


def _addresses(settings: Settings) -> tuple[StoreAddress, ...]:
    databases = (cache.database for cache in settings.caches.values())
    named = [each.shared for each in databases if each is not None]
    named.append(settings.tlsmgr_ticket_key_source.store)
    return tuple(dict.fromkeys(each for each in named if each is not None))


def _credentials(settings: Settings, owners: Collection[int]) -> Credentials | None:
    path = settings.tlsmgr_redis_credentials_file
    if path is None:
        return None
    content = read_private_file(
        path, parameter=_CREDENTIALS_PARAMETER, owners=owners, size_max=_CREDENTIALS_SIZE_MAX
    )
    credentials = parse_credentials(content)
    if credentials is None:
        raise bad_private_file(
            _CREDENTIALS_PARAMETER, path, "holds no credentials: expected one line, user:password or password"
        )
    return credentials
