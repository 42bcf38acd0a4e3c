"""Killing workers, and measuring how long each one is missed."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from rehearsal.sandbox import Sandbox
from tlsmgr.cli.workers import WORKERS
from tlsmgr.client import AsyncClient
from tlsmgr.errors import ProtocolError, ServerUnavailableError

_CACHE_SERVER = "cache-server"
#: They have the sealing key from each other: what dies with both at once was never promised to last.
_KEY_HOLDERS = (_CACHE_SERVER, "prng-server")
_POLL_SECONDS = 0.005
_BACK_SECONDS = 30.0
# supervisord takes an earlier end for a failed start, and waits longer after each of these.
_SETTLED_SECONDS = 1.3
_PAUSE_SECONDS = (0.0, 0.7)
#: How many are chosen to die at once, and how often of ten times; one key holder is spared.
_VICTIMS = {1: 7, 2: 2, 3: 1}


@dataclass(slots=True, kw_only=True)
class Deaths:
    """What the killer did.

    Attributes:
        missed: For each worker, the seconds from each SIGKILL until it answered again.
        complaints: What must not be.
    """

    missed: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in WORKERS})
    complaints: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many were killed and came back."""
        return sum(map(len, self.missed.values()))


class Killer:
    """Sends SIGKILL to random workers, one or two at once, and waits until they answer.

    Of the two that have the sealing key from each other, never both, and none before both have it.
    """

    def __init__(self, sandbox: Sandbox, rng: random.Random) -> None:
        self._sandbox = sandbox
        self._rng = rng
        self._up_since = dict.fromkeys(WORKERS, time.monotonic())
        self._cache_server_lives = 0
        self.deaths = Deaths()

    def lives(self) -> int:
        """Return how often the cache server went down or came back: an odd number while it is down."""
        return self._cache_server_lives

    async def kill(self, number: int) -> None:
        """Kill so many."""
        while self.deaths.count < number:
            await asyncio.sleep(self._rng.uniform(*_PAUSE_SECONDS))
            (how_many,) = self._rng.choices(list(_VICTIMS), list(_VICTIMS.values()))
            victims = self._rng.sample(WORKERS, min(how_many, number - self.deaths.count))
            if set(victims).issuperset(_KEY_HOLDERS):
                victims.remove(self._rng.choice(_KEY_HOLDERS))
            settled = max(self._up_since[name] for name in victims) + _SETTLED_SECONDS
            await asyncio.sleep(max(0.0, settled - time.monotonic()))
            await self._share_key()
            await asyncio.gather(*(self._kill(name) for name in victims))

    async def _kill(self, name: str) -> None:
        former = await self._pid(name)
        if former is None:
            self.deaths.complaints.append(f"{name} did not answer before it was killed")
            self.deaths.missed[name].append(_BACK_SECONDS)
            return
        self._count_a_life(name)
        killed = time.monotonic()
        os.kill(former, signal.SIGKILL)
        while await self._pid(name) in (None, former):
            if time.monotonic() > killed + _BACK_SECONDS:
                self.deaths.complaints.append(f"{name} did not come back within {_BACK_SECONDS:g} s")
                break
            await asyncio.sleep(_POLL_SECONDS)
        self._up_since[name] = time.monotonic()
        self._count_a_life(name)
        self.deaths.missed[name].append(self._up_since[name] - killed)

    async def _share_key(self) -> None:
        given_up = time.monotonic() + _BACK_SECONDS
        while not all([await self._has_shared(name) for name in _KEY_HOLDERS]):
            if time.monotonic() > given_up:
                self.deaths.complaints.append("the workers do not share the sealing key")
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _has_shared(self, name: str) -> bool:
        sealing = (await self._ask(name, "stats")).get("sealing")
        return isinstance(sealing, Mapping) and bool(sealing["key_shared"])

    def _count_a_life(self, name: str) -> None:
        if name == _CACHE_SERVER:
            self._cache_server_lives += 1

    async def _pid(self, name: str) -> int | None:
        """Return the number of the process that answers on the worker's socket."""
        pid = (await self._ask(name, "ping")).get("pid")
        return pid if isinstance(pid, int) else None

    async def _ask(self, name: str, method: str) -> Mapping[str, object]:
        """Return what the worker answers; nothing when it does not."""
        try:
            async with AsyncClient(self._sandbox.socket(name), timeout=5.0) as client:
                answer = await client.call(method)
        except (ServerUnavailableError, ProtocolError):
            return {}
        return answer if isinstance(answer, Mapping) else {}
