"""A file that is to survive the machine's death soon after it was replaced; nobody waits for the disk."""

import asyncio
import logging
from collections.abc import Callable

from tlsmgr.errors import HostError

_log = logging.getLogger(__name__)


class DurableFile:
    """Has a file brought to the disk by a thread, once for all changes that came meanwhile.

    Args:
        sync: Returns when the file is on the disk as it is now; called in a thread.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._is_due = False
        self._work: asyncio.Task[None] | None = None
        self._failure = ""

    def was_replaced(self) -> None:
        """Have it brought to the disk, from now on."""
        self._is_due = True
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._bring_to_disk())

    async def settled(self) -> str:
        """Return when all that was replaced is on the disk, or why it is not; empty if it is."""
        if self._work is not None:
            await asyncio.wait([self._work])  # who waits for it no longer does not end it
        return self._failure

    async def _bring_to_disk(self) -> None:
        while self._is_due:
            self._is_due = False
            try:
                await asyncio.to_thread(self._sync)
                self._failure = ""
            except HostError as error:
                self._failure = str(error)
                _log.warning("what was saved may not survive the machine: %s", error)
