"""Group commit: changes that are under way together share one transaction."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tlsmgr.errors import Status, StoreBusyError, StoreError
from tlsmgr.messages import StatusReply
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.service.commit_budget import CommitBudget, weight_of
from tlsmgr.storage.sessions import Change, Put

_log = logging.getLogger(__name__)

# What waits together for a store that another process has locked. Handshakes do not come near it.
_BYTES_WAITING = 8 << 20
# What each takes beside its id and session.
_BYTES_BESIDE = 1024
_BUSY_PAUSE_SECONDS = 0.001
# A transaction costs as much as five changes in it. While more and more come, so many turns of the
# event loop, of some 0.1 ms each, are waited for those that are on their way.
_TURNS_TO_GATHER = 6
# smtpd waits for this answer in the middle of a handshake.
_DEADLINE_SECONDS = 1.0

_DONE = StatusReply(status=Status.OK)
_NOT_DONE = StatusReply(status=Status.NOT_DONE)


class _Waiting(NamedTuple):  # which is made in half the time that a frozen dataclass takes
    change: Change
    size: int  # of its id and session
    reply: asyncio.Future[StatusReply]
    deadline: float


class CommitQueue:
    """Applies changes to one store, all that came in a few turns of the event loop at a time.

    One that is alone is applied in the next turn; while more and more come, they are gathered. Each
    reply is given once its transaction has ended: OK when it was committed, NOT_DONE when the
    store failed, stayed locked for a second, or had no such row, or when more than 8 MiB wait
    already.

    Args:
        apply: Makes changes in one transaction, as ``SessionStore.apply`` does.
        on_failure: Is told why the store failed.
        after_replies: Is called in a later turn of the loop than each transaction, when the
            replies have been sent.
    """

    def __init__(
        self,
        apply: Callable[[Sequence[Change]], Sequence[bool]],
        on_failure: Callable[[StoreError], None],
        after_replies: Callable[[], None],
    ) -> None:
        self._apply = apply
        self._on_failure = on_failure
        self._after_replies = after_replies
        self._loop = asyncio.get_running_loop()
        self._budget = CommitBudget()
        self._seen, self._turns = 1, 0
        self._waiting: deque[_Waiting] = deque()
        self._bytes_waiting = 0
        self._is_scheduled = False
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, change: Change) -> asyncio.Future[StatusReply]:
        """Take a change; the future's reply comes within a little more than a second."""
        reply: asyncio.Future[StatusReply] = self._loop.create_future()
        size = _size(change)
        if self._bytes_waiting + size + len(self._waiting) * _BYTES_BESIDE > _BYTES_WAITING:
            self._trouble.warning(
                "size",
                "%d sessions of %d bytes wait to be saved: more are refused meanwhile",
                len(self._waiting),
                self._bytes_waiting,
            )
            reply.set_result(_NOT_DONE)
            return reply
        self._bytes_waiting += size
        self._waiting.append(_Waiting(change, size, reply, self._loop.time() + _DEADLINE_SECONDS))
        if not self._is_scheduled:
            self._is_scheduled = True
            self._idle.clear()
            self._loop.call_soon(self._commit)
        return reply

    async def drain(self) -> None:
        """Wait until every change that was submitted has been answered."""
        await self._idle.wait()

    def _commit(self) -> None:
        if self._more_may_come():
            self._loop.call_soon(self._commit)
            return
        self._is_scheduled = False
        group, size = self._next_group()
        pause = 0.0
        outcomes: Sequence[bool] = [False] * len(group)
        began = time.perf_counter()  # the loop's own clock may count in milliseconds
        try:
            outcomes = self._apply([each.change for each in group])
            self._learn(weight_of(len(group), size), time.perf_counter() - began)
        except StoreBusyError as error:
            group = self._put_back(group, error)
            outcomes = [False] * len(group)
            pause = _BUSY_PAUSE_SECONDS
        except StoreError as error:
            self._on_failure(error)
        finally:
            # Also when a defect shows itself: it goes on to the loop, which logs it.
            _answer(group, outcomes)
            self._loop.call_soon(self._after_replies)
            self._schedule_rest(pause)

    def _more_may_come(self) -> bool:
        """Tell whether to wait a turn more: more have come since the last one, and there is room for more."""
        count = len(self._waiting)
        has_room = weight_of(count, self._bytes_waiting) < self._budget.weight
        if has_room and self._seen < count and self._turns < _TURNS_TO_GATHER:
            self._seen, self._turns = count, self._turns + 1
            return True
        self._seen, self._turns = 1, 0
        return False

    def _next_group(self) -> tuple[list[_Waiting], int]:
        group: list[_Waiting] = []
        size = 0
        for each in self._waiting:
            if group and weight_of(len(group) + 1, size + each.size) > self._budget.weight:
                break
            group.append(each)
            size += each.size
        for _ in group:
            self._waiting.popleft()
        self._bytes_waiting -= size
        return group, size

    def _learn(self, weight: int, seconds: float) -> None:
        self._budget.learn(weight, seconds, had_no_room=bool(self._waiting))

    def _schedule_rest(self, pause: float) -> None:
        if self._waiting:
            self._is_scheduled = True
            self._loop.call_later(pause, self._commit)
        else:
            self._idle.set()

    def _put_back(self, group: list[_Waiting], error: StoreBusyError) -> list[_Waiting]:
        """Return all whose time is over, also of those behind; the others are first again in their order."""
        now = self._loop.time()
        self._waiting.extendleft(reversed(group))
        late: list[_Waiting] = []
        while self._waiting and self._waiting[0].deadline <= now:
            late.append(self._waiting.popleft())
        if late:
            self._trouble.warning("store", "%s", error)
        self._bytes_waiting += sum(each.size for each in group) - sum(each.size for each in late)
        return late


def _size(change: Change) -> int:
    session = change.session if isinstance(change, Put) else b""
    return len(change.cache_id) + len(session)


def _answer(group: list[_Waiting], outcomes: Sequence[bool]) -> None:
    for each, is_done in zip(group, outcomes, strict=True):
        if not each.reply.done():
            each.reply.set_result(_DONE if is_done else _NOT_DONE)
