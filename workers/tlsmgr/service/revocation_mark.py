"""The mark in a shared store that says since when what is there counts, for every host of a farm."""

import asyncio
import logging
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from tlsmgr.going_on import going_on
from tlsmgr.sealing.sealer import TamperedError
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.shared_store.failures import SharedStoreError

_log = logging.getLogger(__name__)

#: Seconds between two looks at what other hosts revoked.
REFRESH_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 2.0
#: Longer than any session lives.
_LIFE_MILLISECONDS: Final = 101 * 86400 * 1000
_MILLISECONDS: Final = 1000
_DEFECT: Final = "a defect"
_PLACE: Final = b"shared revocation"
_GENERATION: Final = struct.Struct(">Q")


class RevocationMark:
    """Has the generation of all that hosts share: with a revocation begins another one.

    Whatever is in the store is under a name, and bound to a place, that the generation is a part
    of. So what was revoked is not found any more, whoever puts it back under whichever name.

    Nothing of a store counts before its mark has been read once: this host may have slept through
    a revocation. Afterwards the mark only moves forward, whatever the store says; after a restart only
    from where ``at_least`` says, so a store that is set back misleads a host that remembers nothing.

    Args:
        link: the store.
        sealer: seals the mark.

    Attributes:
        generation: a number that grows: the time of the last revocation in milliseconds, or more.
        is_known: whether the store has been asked for it.
        forged: how often the store had a mark that no host of ours made.
    """

    def __init__(self, link: SharedLink, sealer: SharedSealer) -> None:
        self._link = link
        self._sealer = sealer
        self._loop = asyncio.get_running_loop()
        self._name = sealer.name(_PLACE)
        self._is_wanted = asyncio.Event()
        self._when_known: list[Callable[[], None]] = []
        self._when_moved: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        self.generation = 0
        self.is_known = False
        self.forged = 0
        link.when_it_works(self._is_wanted.set)

    @property
    def place(self) -> bytes:
        """The generation, as a part of what things in the store are bound to."""
        return _GENERATION.pack(self.generation)

    def when_known(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` each time that the mark has been read."""
        self._when_known.append(callback)

    def when_moved(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` at the moment that what was shared so far is revoked, here or elsewhere.

        What is learnt when the mark is read for the first time happened before.
        """
        self._when_moved.append(callback)

    def at_least(self, generation: int) -> None:
        """Have no earlier generation than this, which this host saw before it was started anew."""
        if generation > self.generation:
            self._advance(generation)
            self._is_wanted.set()

    def start(self) -> None:
        """Begin to read it, now and then."""
        self._task = self._loop.create_task(self._keep_up())

    def close(self) -> None:
        """End that."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()

    def move(self, now: float) -> Coroutine[Any, Any, str]:
        """Revoke all that is in the store: here at once.

        Returns:
            What has ended when the store has the mark, too, with an empty result, or with the reason
            why not; it is tried again then.
        """
        self._advance(max(self.generation + 1, int(now * _MILLISECONDS)), is_new=True)
        return self._publish()

    async def refresh(self) -> str:
        """Take over what other hosts revoked, and tell what we did, where the store does not say so.

        Returns:
            Why that failed, which has been counted and logged; empty when it did not.
        """
        try:
            sealed = await self._link.ask(lambda store: store.get(self._name), is_quick=False)
        except SharedStoreError as error:
            return str(error)
        theirs = 0 if sealed is None else self._opened(sealed)
        if theirs > self.generation:
            if self.is_known:
                _log.warning("another host revoked all that is in the shared store")
            self._advance(theirs)
        self.is_known = True
        for callback in self._when_known:
            callback()
        return await self._publish() if theirs < self.generation else ""

    def _advance(self, generation: int, *, is_new: bool = False) -> None:
        self.generation = generation
        if is_new or self.is_known:
            for callback in self._when_moved:
                callback()

    async def _publish(self) -> str:
        sealed = self._sealer.seal(self.place, _PLACE)
        try:
            await self._link.ask(
                lambda store: store.put(self._name, sealed, _LIFE_MILLISECONDS), is_quick=False
            )
        except SharedStoreError as error:
            return str(error)
        return ""

    async def _keep_up(self) -> None:
        while not self._is_closed:
            reason = _DEFECT
            with going_on(_log, "reading the mark of revocation"):
                reason = await self.refresh() if self._link.lets_pass else ""
            self._is_wanted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_SECONDS if reason else REFRESH_SECONDS):
                    await self._is_wanted.wait()

    def _opened(self, sealed: bytes) -> int:
        try:
            (generation,) = _GENERATION.unpack(self._sealer.open(sealed, _PLACE))
        except TamperedError:
            if not self.forged:
                _log.warning(
                    "the mark of revocation in the shared store is not what a host of this farm put there;"
                    " see who else can write to the store"
                )
            self.forged += 1
            return 0
        return int(generation)
