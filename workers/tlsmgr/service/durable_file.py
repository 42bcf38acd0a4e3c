"""A file that is to survive the machine's death soon after it was replaced; nobody waits for the disk."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from tlsmgr.errors import HostError
from tlsmgr.occasional_log import OccasionalLog

_log = logging.getLogger(__name__)

_MESSAGE = "what was saved may not survive the machine: %s"
# A worker that ends, and who revokes, wait so long for the disk, and no longer.
_PATIENCE_SECONDS = 3.0
# After a failure it is tried again so often: a full disk may be so for a while.
_RETRY_SECONDS = 5.0


class DurableFile:
    """Has a file brought to the disk by a thread, once for all changes that came meanwhile.

    The thread is none of the event loop's, whose end would wait for it, however long the disk takes.

    Args:
        sync: Returns when the file is on the disk as it is now; called in the thread.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._sync = sync
        self._is_due = self._is_under_way = False
        self._failure = ""
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._at_rest = asyncio.Event()
        self._at_rest.set()

    def was_replaced(self) -> None:
        """Have it brought to the disk, from now on; also when it was removed."""
        self._is_due = True
        self._failure = ""
        self._at_rest.clear()
        if not self._is_under_way:
            self._start()

    async def settled(self) -> str:
        """Return when all that was done to the file is on the disk, or after 3 s.

        Returns:
            Why it is not there, or may not be; empty if it is.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._at_rest.wait()
        except TimeoutError:
            reason = f"the disk has not taken it within {_PATIENCE_SECONDS:g} s"
            _log.warning(_MESSAGE, reason)
            return reason
        return self._failure

    def _try_again(self) -> None:
        if not self._is_under_way:
            self._start()

    def _start(self) -> None:
        self._is_due, self._is_under_way = False, True
        try:
            Thread(target=self._bring_to_disk, name="durable file", daemon=True).start()
        except RuntimeError as error:  # no thread is to be had
            self._ended(str(error))

    def _bring_to_disk(self) -> None:
        failure = "the thread that was to bring it to the disk has failed"
        try:
            self._sync()
            failure = ""
        except HostError as error:
            failure = str(error)
        finally:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                self._loop.call_soon_threadsafe(self._ended, failure)

    def _ended(self, failure: str) -> None:
        self._is_under_way = False
        if failure:
            self._trouble.warning("sync", _MESSAGE, failure, cause=failure)
            self._loop.call_later(_RETRY_SECONDS, self._try_again)
        else:
            self._trouble.recovered("sync", "what was saved is on the disk now")
        if self._is_due:
            self._start()
        else:
            self._failure = failure
            self._at_rest.set()
