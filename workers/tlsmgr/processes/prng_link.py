"""A worker's way to the PRNG server."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from tlsmgr.client import AsyncClient
from tlsmgr.config.settings import Settings
from tlsmgr.errors import ProtocolError, ServerUnavailableError
from tlsmgr.transport.peer import user_ids

_log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 2.0
_RETRY_PAUSE_SECONDS = 0.25


class PrngLink:
    """Fetches blocks of random bytes, and stirs digests in.

    Only root's or ``$mail_owner``'s process is believed: anybody else's at that path, who would
    choose our seeds, counts as no server.

    Args:
        settings: Where the PRNG server's socket is, and whose it is.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.tlsmgr_run_directory / "prng-server.sock"
        self._client = AsyncClient(
            self._path,
            timeout=_TIMEOUT_SECONDS,
            retry_pause=_RETRY_PAUSE_SECONDS,
            servers=user_ids(["root", settings.mail_owner]),
        )

    async def connect(self) -> None:
        """Connect if the PRNG server is there; later calls try again where it is not."""
        with contextlib.suppress(ServerUnavailableError):
            await self._client.connect()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def enter_jail(self, root: Path) -> None:
        """Find the socket from inside of ``root``; the connection that is open stays."""
        if self._path.is_relative_to(root):
            self._client.path = Path("/") / self._path.relative_to(root)
        else:
            _log.warning(
                "in the chroot jail %s the socket %s is out of reach once prng-server is restarted:"
                " set tlsmgr_run_directory to a directory below queue_directory",
                root,
                self._path,
            )

    async def fetch_block(self, size: int, served: int, times: bytes) -> bytes:
        """Return ``size`` random bytes; tell of ``served`` requests answered from former ones.

        ``times`` depends on when they came, and is stirred in first.

        Raises:
            ServerUnavailableError: The PRNG server does not answer.
            ProtocolError: Its answer makes no sense.
        """
        result = await self._client.call("block", size, served, times)
        block = result.get("block") if isinstance(result, Mapping) else None
        if not isinstance(block, bytes) or len(block) != size:
            raise ProtocolError("the PRNG server sent no block")
        return block

    async def stir(self, digest: bytes) -> None:
        """Stir a digest into the pool; raises what ``fetch_block`` raises."""
        await self._client.call("stir", digest)
