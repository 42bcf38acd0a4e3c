"""Carries the hand-over out: asks the other worker at the start, and until it has our keys."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from tlsmgr.errors import AccessDeniedError, ProtocolError, ServerUnavailableError, Status, TlsmgrError
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.sealing.hand_over import HandOver
from tlsmgr.sealing.keys import SealingKeys

_log = logging.getLogger(__name__)

#: The method by which either worker asks the other; its params are those of ``to_wire``.
METHOD: Final = "sealing_key"

_PAUSE_SECONDS = 0.05
_ANSWER_SECONDS = 0.3
_LONG_PAUSE_SECONDS = 0.5

#: Calls the other worker's ``sealing_key`` with these params and returns the result.
Ask = Callable[[bytes, bytes], Awaitable[object]]
#: Tells whether a process id and a user id, from the kernel, are the other worker's.
IsOtherWorker = Callable[[int, int], bool]


class ImpostorError(TlsmgrError):
    """At the other worker's socket another process listens; it was told nothing."""

    status = Status.NOT_DONE


class KeyExchange:
    """Keeps one worker's ``HandOver`` going.

    Attributes:
        refused: how often somebody asked who is not the other worker.
        impostors: how often somebody else than the other worker was found at its socket.

    Args:
        hand_over: this worker's.
        ask: see ``Ask``; it raises ServerUnavailableError, ImpostorError, ProtocolError or another
            TlsmgrError.
        is_other: who is answered.
        on_change: is given the keys whenever they are others than before.
    """

    def __init__(
        self,
        hand_over: HandOver,
        ask: Ask,
        is_other: IsOtherWorker,
        on_change: Callable[[SealingKeys], None],
    ) -> None:
        self._hand_over = hand_over
        self._ask = ask
        self._is_other = is_other
        self._on_change = on_change
        self.refused = 0
        self.impostors = 0
        # Once a minute for each user: who may not ask may not fill the log either.
        self._trouble = OccasionalLog(_log, time.monotonic)
        self._told_reason = ""
        self._loop = asyncio.get_running_loop()
        self._sharing: asyncio.Task[None] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether the other worker was told all keys that we have, when it last answered."""
        return not self._hand_over.wants_exchange

    async def obtain(self) -> None:
        """Get keys from the other worker, or make one; within a second there are some."""
        while not self._hand_over.has_key:
            await self._try_to_obtain()
        self._share()

    def answer(self, process_id: int, user_id: int, params: tuple[object, ...]) -> Mapping[str, object]:
        """Answer the other worker, and take in what it sent; anybody else is refused and counted.

        Args:
            process_id: who asks, as the kernel says (SO_PEERCRED).
            user_id: likewise.
            params: what came with the call.

        Raises:
            AccessDeniedError: it is not the other worker that asks.
            ProtocolError: the params are not those of this method.
        """
        if not self._is_other(process_id, user_id):
            self.refused += 1
            self._trouble.warning(
                str(user_id),
                "refused the sealing key to uid %d, pid %d; %d times so far",
                user_id,
                process_id,
                self.refused,
            )
            raise AccessDeniedError("the sealing key is for the other worker alone")
        match params:
            case (keys, revoked):
                theirs = SealingKeys.from_wire(keys, revoked)
            case _:
                raise ProtocolError(f"{METHOD} takes the keys and the revoked ids that the caller has")
        told = self._hand_over.keys
        self._take(theirs, told)
        our_keys, our_revoked = told.to_wire()
        return {"status": int(Status.OK), "keys": our_keys, "revoked": our_revoked}

    def renew(self) -> None:
        """Make a new key at once and let the other worker have it; see ``HandOver.renew``."""
        self._hand_over.renew()
        self._on_change(self._hand_over.keys)
        self._share()

    async def shared(self, *, within: float) -> bool:
        """Wait until the other worker has what we have; tell whether it has it ``within`` seconds."""
        sharing = self._sharing
        if sharing is not None:
            await asyncio.wait([sharing], timeout=within)
        return self.is_shared

    def close(self) -> None:
        """Ask no more."""
        if self._sharing is not None:
            self._sharing.cancel()
            self._sharing = None

    async def _try_to_obtain(self) -> None:
        await self._meet()
        if self._hand_over.missed(now=self._loop.time()):
            self._on_change(self._hand_over.keys)
        if not self._hand_over.has_key:
            await asyncio.sleep(_PAUSE_SECONDS)

    def _share(self) -> None:
        if self._sharing is None and self._hand_over.wants_exchange:
            self._sharing = self._loop.create_task(self._offer())

    async def _offer(self) -> None:
        while self._hand_over.wants_exchange:
            if not await self._meet():
                await asyncio.sleep(_LONG_PAUSE_SECONDS)
        self._sharing = None

    async def _meet(self) -> bool:
        """Exchange keys once; tell whether the other worker answered."""
        told = self._hand_over.keys
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                result = await self._ask(*told.to_wire())
            theirs = _keys_of(result)
        except (TimeoutError, ServerUnavailableError):
            return False
        except ImpostorError as error:
            self.impostors += 1
            self._trouble.warning("impostor", "no sealing keys are exchanged: %s; see fuser(1)", error)
            return False
        except TlsmgrError as error:
            self._tell(str(error))
            return False
        self._take(theirs, told)
        return True

    def _tell(self, reason: str) -> None:
        if reason != self._told_reason:  # it is asked again every half second
            self._told_reason = reason
            _log.warning("the other worker does not tell its sealing keys: %s", reason)

    def _take(self, theirs: SealingKeys, told: SealingKeys) -> None:
        if self._hand_over.met(theirs, told=told) and self._hand_over.has_key:
            self._on_change(self._hand_over.keys)


def _keys_of(result: object) -> SealingKeys:
    if not isinstance(result, Mapping):
        raise ProtocolError("the answer is no map")
    return SealingKeys.from_wire(result.get("keys"), result.get("revoked"))
