"""What passes through a worker, as a digest for the PRNG pool, and never the thing itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256

from tlsmgr.errors import ProtocolError, ServerUnavailableError

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0


class EntropyDigest:
    """Collects data into one digest, and sends that at most once a second while there is any.

    Args:
        stir: Takes the digest, 32 bytes, to the PRNG pool.
    """

    def __init__(self, stir: Callable[[bytes], Awaitable[object]]) -> None:
        self._stir = stir
        self._loop = asyncio.get_running_loop()
        self._hash = sha256()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None

    def add(self, data: bytes) -> None:
        """Take data into the digest; the pool trusts none of it."""
        self._hash.update(data)
        if self._timer is None:
            self._timer = self._loop.call_later(_PAUSE_SECONDS, self._send)

    def close(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _send(self) -> None:
        self._timer = None
        digest = self._hash.digest()
        self._hash = sha256(digest)
        self._sending = self._loop.create_task(self._send_digest(digest))

    async def _send_digest(self, digest: bytes) -> None:
        try:
            await self._stir(digest)
        except (ServerUnavailableError, ProtocolError) as error:
            # Welcome, not needed: the pool has better sources, and the next digest holds this one.
            _log.debug("the PRNG pool was not stirred: %s", error)
