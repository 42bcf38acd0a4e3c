"""The source of the farm's ticket keys that the configuration names, whichever it is at the time."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from tlsmgr.config.key_source import KeySourceKind
from tlsmgr.config.settings import Settings
from tlsmgr.farm.secret_file import SecretFile
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.service.farm_keys import FarmKeySource
from tlsmgr.service.ratchet_source import RatchetSource
from tlsmgr.service.sharing import Sharing
from tlsmgr.service.ticket_keys import TicketKeys

_log = logging.getLogger(__name__)

_PARAMETER = "tlsmgr_ticket_key_source"


class FarmSources:
    """Gives the ticket keys their source, and another one when the configuration names another one.

    Args:
        ticket_keys: who asks it.
        sharing: the stores that hosts share.
        random_bytes: what keys are made of, where any host makes them.
        sealer: seals keys on this host's disk.
    """

    def __init__(
        self,
        ticket_keys: TicketKeys,
        sharing: Sharing,
        random_bytes: Callable[[int], bytes],
        sealer: Sealer,
    ) -> None:
        self._ticket_keys = ticket_keys
        self._sharing = sharing
        self._random_bytes = random_bytes
        self._sealer = sealer
        self._settings: Settings | None = None
        self._change: asyncio.Task[None] | None = None

    async def start(self, settings: Settings) -> None:
        """Have the keys, or else keys of this host's own for the time being."""
        self._take(settings)
        await self._changed()

    def use(self, settings: Settings) -> None:
        """Go on with other parameters, or with another source, which is asked as soon as it is there."""
        former, source = self._settings, self._ticket_keys.farm
        if former is None or former.tlsmgr_ticket_key_source != settings.tlsmgr_ticket_key_source:
            self._take(settings)
            return
        self._settings = settings
        if source is not None:
            source.use(settings)

    def enter_jail(self, root: Path) -> None:
        """Get ready for paths that begin at ``root``."""
        if self._ticket_keys.farm is not None:
            self._ticket_keys.farm.enter_jail(root)

    async def close(self) -> None:
        """End what the sources do."""
        await self._changed()
        if self._ticket_keys.farm is not None:
            await self._ticket_keys.farm.close()

    def _take(self, settings: Settings) -> None:
        former, self._settings = self._ticket_keys.farm, settings
        self._ticket_keys.farm = self._made(settings)
        self._change = asyncio.ensure_future(_change(self._change, former, self._ticket_keys.farm))

    async def _changed(self) -> None:
        if self._change is not None:
            await self._change

    def _made(self, settings: Settings) -> FarmKeySource | None:
        source = settings.tlsmgr_ticket_key_source
        match source.kind:
            case KeySourceKind.LOCAL:
                return None
            case KeySourceKind.REDIS:
                return self._sharing.key_source(settings, self._random_bytes, self._sealer)
            case KeySourceKind.RATCHET:
                file = SecretFile(Path(source.location), parameter=_PARAMETER, owner=os.geteuid())
                return RatchetSource(file, settings, time.time, time.monotonic)


async def _change(
    before: asyncio.Task[None] | None, former: FarmKeySource | None, present: FarmKeySource | None
) -> None:
    """Close the one and start the other, after the change before: a source is closed after its start."""
    if before is not None:
        await asyncio.wait({before})
    if former is not None:
        try:
            await former.close()
        except Exception:  # noqa: BLE001 - whatever it is, the present one has to start
            _log.exception("the former source of ticket keys did not close; the new one is used all the same")
    if present is not None:
        await present.start()
