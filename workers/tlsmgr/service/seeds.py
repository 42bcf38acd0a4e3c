"""Seeds for clients: from the PRNG server, and from the kernel when that one is late."""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tlsmgr.errors import ProtocolError, ServerUnavailableError, Status
from tlsmgr.messages import SeedReply, SeedRequest
from tlsmgr.occasional_log import OccasionalLog

_log = logging.getLogger(__name__)

_BLOCK_SIZE_MIN = 1024
# At 50,000 seeds a second that is 20 ms, longer than the PRNG server waits for a busy processor.
_BLOCK_SIZE_MAX = 32768
_BLOCK_LIFE_SECONDS = 1.0
_LATE_AFTER_SECONDS = 0.08
_REPORT_SECONDS = 0.5

FetchBlock = Callable[[int, int, bytes], Awaitable[bytes]]

_TIMES_SIZE = 8
_TIMES_MASK = (1 << 8 * _TIMES_SIZE) - 1


@dataclass(slots=True)
class SeedFigures:
    """How many seeds were given out, by where they came from."""

    pool: int = 0
    kernel: int = 0


class _Block:
    """Random bytes of which each is given out once and then overwritten."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)
        self._position = 0

    @property
    def is_half_used(self) -> bool:
        return self._position * 2 > len(self._data)

    def take(self, size: int) -> bytes | None:
        end = self._position + size
        if end > len(self._data):
            return None
        seed = bytes(self._data[self._position : end])
        self._data[self._position : end] = bytes(size)
        self._position = end
        return seed

    def wipe(self) -> None:
        self._data[:] = bytes(len(self._data))
        self._position = len(self._data)


class SeedReserve:
    """Answers seed requests out of blocks that the PRNG server made.

    No byte is given out twice, and what is left of a block after a second is wiped.
    A request waits for a block for 80 ms at most, then the kernel's generator serves it,
    and those that follow, until a block arrives.

    Args:
        fetch: Called with the size of the block wanted, the number of requests that were
            served from blocks since the last call, and 8 bytes that depend on the time of day
            of each request so far; returns the block.
        clock: The time of day in nanoseconds.
    """

    def __init__(self, fetch: FetchBlock, clock: Callable[[], int] = time.time_ns) -> None:
        self._fetch = fetch
        self._clock = clock
        self._times = 0
        self._loop = asyncio.get_running_loop()
        self._blocks: deque[_Block] = deque()
        self._block_size = _BLOCK_SIZE_MIN
        self._served = 0
        self._is_late = False
        self._reason = ""
        self._waiting: list[tuple[int, asyncio.Future[SeedReply]]] = []
        self._fetching: asyncio.Task[None] | None = None
        self._late_timer: asyncio.TimerHandle | None = None
        self._trouble = OccasionalLog(_log, self._loop.time, interval=float("inf"))
        self.figures = SeedFigures()

    def answer(self, request: SeedRequest) -> SeedReply | asyncio.Future[SeedReply]:
        """Return the seed, now or within a tenth of a second."""
        # When seeds are asked for is for the pool to know: it goes in with the next block.
        self._times = hash((self._times, self._clock()))
        seed = self._take(request.size)
        if seed is not None:
            return SeedReply(status=Status.OK, seed=seed)
        self._start_fetching()
        if self._is_late:
            return self._kernel_seed(request.size)
        reply: asyncio.Future[SeedReply] = self._loop.create_future()
        self._waiting.append((request.size, reply))
        if self._late_timer is None:
            self._late_timer = self._loop.call_later(_LATE_AFTER_SECONDS, self._serve_from_kernel)
        return reply

    def random_bytes(self, size: int) -> bytes:
        """Return ``size`` random bytes at once: of the block at hand, or else the kernel's."""
        return self._take(size) or os.urandom(size)

    async def close(self) -> None:
        """Answer who still waits, wipe the block, stop fetching, and report what was served since.

        Every request counts in the PRNG server's figures; it is told within half a second or not.
        """
        self._serve_from_kernel("the cache server ends")
        self._wipe()
        with contextlib.suppress(ServerUnavailableError, ProtocolError, TimeoutError):
            async with asyncio.timeout(_REPORT_SECONDS):
                if self._fetching is not None:
                    await self._fetching  # which is cancelled when it is late
                if self._served:
                    await self._fetch(1, self._served, self._packed_times())
                    self._served = 0
        self._wipe()

    def _take(self, size: int) -> bytes | None:
        while self._blocks:
            block = self._blocks[0]
            seed = block.take(size)
            if seed is not None:
                self._served += 1
                self.figures.pool += 1
                if block.is_half_used and len(self._blocks) == 1:
                    self._start_fetching()
                return seed
            # Used up within its life: at this pace a larger one lasts longer.
            self._blocks.popleft().wipe()
            self._block_size = min(_BLOCK_SIZE_MAX, self._block_size * 2)
        return None

    def _start_fetching(self) -> None:
        if self._fetching is None:
            self._fetching = self._loop.create_task(self._fetch_block())

    async def _fetch_block(self) -> None:
        served, self._served = self._served, 0
        try:
            block = await self._fetch(self._block_size, served, self._packed_times())
        except (ServerUnavailableError, ProtocolError) as error:
            self._served += served
            self._serve_from_kernel(reason=str(error))
        else:
            self._trouble.recovered("prng", "the PRNG server answers again")
            self._use(block)
        finally:
            self._fetching = None
        if self._waiting:
            self._start_fetching()

    def _packed_times(self) -> bytes:
        return (self._times & _TIMES_MASK).to_bytes(_TIMES_SIZE, "big")

    def _use(self, block: bytes) -> None:
        self._is_late = False
        fresh = _Block(block)
        self._blocks.append(fresh)
        self._loop.call_later(_BLOCK_LIFE_SECONDS, self._expire, fresh)
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for place, (size, reply) in enumerate(waiting):
            if reply.done():
                continue
            seed = self._take(size)
            if seed is None:
                self._waiting = waiting[place:]
                return
            reply.set_result(SeedReply(status=Status.OK, seed=seed))
        self._cancel_late_timer()

    def _serve_from_kernel(self, reason: str = "the PRNG server is late") -> None:
        self._cancel_late_timer()
        waiting, self._waiting = self._waiting, []
        self._is_late = True
        self._reason = reason
        for size, reply in waiting:
            if not reply.done():
                reply.set_result(self._kernel_seed(size))

    def _kernel_seed(self, size: int) -> SeedReply:
        # Here, where it happens: a block fetched ahead may have failed while nobody waited.
        self._trouble.warning("prng", "%s: seeds come from the kernel's generator meanwhile", self._reason)
        self.figures.kernel += 1
        return SeedReply(status=Status.OK, seed=os.urandom(size))

    def _expire(self, block: "_Block") -> None:
        if block not in self._blocks:
            return
        if not block.is_half_used:
            self._block_size = max(_BLOCK_SIZE_MIN, self._block_size // 2)
        self._blocks.remove(block)
        block.wipe()

    def _wipe(self) -> None:
        while self._blocks:
            self._blocks.popleft().wipe()

    def _cancel_late_timer(self) -> None:
        if self._late_timer is not None:
            self._late_timer.cancel()
            self._late_timer = None
