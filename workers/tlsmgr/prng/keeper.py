"""The keeper of the pool: feeds it from the source, saves it, and tells how both do.

Nothing here stands between a client and its bytes. A source that is stuck, an exchange
file that is locked, a disk that is full: each is a warning, a figure in the statistics,
and another try later, while the pool gives what it gives.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from tlsmgr.errors import HostError
from tlsmgr.prng.exchange_file import EXCHANGE_SIZE, ExchangeFile, ExchangeFileBusyError
from tlsmgr.prng.health import Alarm, HealthTests
from tlsmgr.prng.pool import KernelRandomError, Pool, PoolStatistics
from tlsmgr.prng.schedule import Timer
from tlsmgr.prng.sources import Source

_log = logging.getLogger("tlsmgr.prng")

# At the end another holder of the exchange file's lock, who needs a millisecond, is waited
# for: half a second in all, since the process has been told to stop.
_LAST_TRIES = 10
_LAST_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How much is read from the source, and how often things are done.

    Attributes:
        source_bytes: tls_random_bytes: bytes of one reading of the source.
        reseed_period: tls_random_reseed_period: the longest wait between two, in seconds.
        update_period: tls_random_prng_update_period: the same for the exchange file.
    """

    source_bytes: int = 32
    reseed_period: float = 3600.0
    update_period: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperStatistics:
    """What became of the pool, the source and the exchange file since the start.

    Attributes:
        pool: the pool's own figures.
        source: the source as configured; empty for none.
        source_state: ``none``, ``new``, ``good``, ``alarm`` (a health test failed at the last
            reading), ``failing`` (the last reading gave nothing) or ``spent`` (a plain file
            that has been read).
        source_reads: readings that gave something.
        source_failures: openings and readings that failed.
        source_alarms: readings that failed a health test; their bytes count as no entropy.
        exchange_updates: exchanges with the file.
        exchange_failures: tries that failed.
        exchange_age: seconds since the last exchange; None before the first.
    """

    pool: PoolStatistics
    source: str
    source_state: str
    source_reads: int
    source_failures: int
    source_alarms: int
    exchange_updates: int
    exchange_failures: int
    exchange_age: float | None


class Keeper:
    """Does what is due: reads the source, tests and mixes in what it gave, saves the pool.

    All in one thread, in this order: ``open_source`` with the rights of who started the
    program, then ``run`` in an event loop until it is cancelled, then ``close``. Bytes can be
    asked for from the first moment, whatever has been done or has failed by then.

    Args:
        pool: the pool to keep.
        source: the entropy source, not yet open, or None.
        exchange_file: the exchange file, or None.
        intervals: how much and how often.
        clock: a monotonic clock in seconds.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        source: Source | None,
        exchange_file: ExchangeFile | None,
        intervals: Intervals,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._source = source
        self._exchange_file = exchange_file
        self._clock = clock
        self._health = HealthTests()
        self._source_bytes = intervals.source_bytes
        self._reseeding = Timer(intervals.reseed_period, self._randbyte)
        self._saving = Timer(intervals.update_period, self._randbyte)
        self._must_open = True
        self._source_state = "none" if source is None else "new"
        self._source_reads = self._source_failures = self._source_alarms = 0
        self._exchange_updates = self._exchange_failures = 0
        self._exchanged_at: float | None = None
        if source is None:
            self._reseeding.stop()
        if exchange_file is None:
            self._saving.stop()

    def seed(self, size: int) -> bytes:
        """Return ``size`` random bytes, 1 to 65536, as one request.

        Raises:
            ValueError: ``size`` is out of range.
            KernelRandomError: the kernel's generator failed.
        """
        return self._pool.generate(size)

    def block(self, size: int, *, served: int, times: bytes) -> bytes:
        """Return bytes for somebody who answers many requests out of them.

        Args:
            size: how many bytes, 1 to 65536.
            served: how many requests were answered out of former blocks since the last call.
            times: depends on when they came: the time of day goes in at every request.

        Raises:
            ValueError: ``size`` is out of range.
            KernelRandomError: the kernel's generator failed.
        """
        self._pool.stir(times)
        block = self._pool.generate(size, requests=0)
        self._pool.count_requests(served)
        return block

    def stir(self, data: bytes) -> None:
        """Mix in any data; it is trusted for nothing."""
        self._pool.stir(data)

    def statistics(self) -> KeeperStatistics:
        """Return the figures since the start."""
        return KeeperStatistics(
            pool=self._pool.statistics(),
            source=self._source.name if self._source else "",
            source_state=self._source_state,
            source_reads=self._source_reads,
            source_failures=self._source_failures,
            source_alarms=self._source_alarms,
            exchange_updates=self._exchange_updates,
            exchange_failures=self._exchange_failures,
            exchange_age=None if self._exchanged_at is None else self._clock() - self._exchanged_at,
        )

    def set_intervals(self, intervals: Intervals) -> None:
        """Go on with others; a wait that has begun stays as it is."""
        self._source_bytes = intervals.source_bytes
        self._reseeding.period = intervals.reseed_period
        self._saving.period = intervals.update_period

    def open_source(self) -> None:
        """Open the source with the rights at hand; what fails is logged and tried again later."""
        if self._source is None:
            _log.warning("no entropy source specified with parameter tls_random_source")
            _log.warning("encryption keys etc. may be predictable")
            return
        try:
            self._open(self._source)
        except HostError as error:
            self._source_failed(error)

    def due(self) -> float:
        """Return the seconds until there is something to do: 0 for now, infinity for never."""
        now = self._clock()
        return min(self._reseeding.delay(now), self._saving.delay(now))

    async def do_what_is_due(self) -> None:
        """Read the source and save the pool, each if its time has come; never raise for the host."""
        now = self._clock()
        # First both as the clock has it: a source may take its ten seconds.
        must_save = self._saving.delay(now) == 0
        if self._source is not None and self._reseeding.delay(now) == 0:
            await self._reseed(self._source)
        if self._exchange_file is not None and must_save:
            self._save(self._exchange_file)

    async def run(self) -> None:
        """Do what is due whenever it is, until cancelled."""
        # Where nothing is ever due, the longest wait that every event loop can take.
        day = 86400.0
        while True:
            await self.do_what_is_due()
            await asyncio.sleep(min(self.due(), day))

    async def close(self) -> None:
        """Save the pool for the next start, and give back all that is open.

        Takes up to half a second when another process has the exchange file locked.
        """
        if self._source is not None:
            self._source.close()
        if self._exchange_file is not None:
            await self._save_at_the_end(self._exchange_file)
            self._exchange_file.close()

    def _randbyte(self) -> int:
        try:
            return self._pool.generate(1, requests=0)[0]
        except KernelRandomError as error:
            # Only a wait is to be drawn, and whatever is due after it meets the same error.
            _log.warning("%s", error)
            return 255

    def _open(self, source: Source) -> None:
        self._must_open = True
        source.open()
        self._must_open = False

    async def _reseed(self, source: Source) -> None:
        try:
            if self._must_open:
                self._open(source)
            block = await source.read(self._source_bytes)
            self._mix_in(source, block)
            self._reseeding.succeeded(self._clock())
        except HostError as error:
            self._source_failed(error)
            return
        if source.spent:
            self._source_state = "spent"
            self._reseeding.stop()

    def _mix_in(self, source: Source, block: bytes) -> None:
        self._source_reads += 1
        verdict = self._health.observe(block)
        if not verdict.healthy:
            self._pool.stir(block)
            self._raise_alarm(source, verdict.alarms)
            return
        self._pool.reseed(block)
        if self._source_state in ("failing", "alarm"):
            _log.info("entropy source %s is good again", source.name)
        self._source_state = "good"

    def _raise_alarm(self, source: Source, alarms: tuple[Alarm, ...]) -> None:
        self._source_alarms += 1
        self._source_state = "alarm"
        _log.warning(
            "entropy source %s fails its health tests (%s): its bytes count as no entropy; "
            "check it, or set tls_random_source to dev:/dev/urandom",
            source.name,
            "; ".join(alarm.value for alarm in alarms),
        )

    def _source_failed(self, error: HostError) -> None:
        self._must_open = True
        self._source_failures += 1
        self._source_state = "failing"
        delay = self._reseeding.failed(self._clock())
        _log.warning("%s; service goes on, next try in %g s", error, delay)

    def _save(self, file: ExchangeFile) -> None:
        failures = self._saving.failures
        error = self._update(file)
        if error is not None:
            _log.warning("%s; next try in %g s", error, self._saving.failed(self._clock()))
            return
        self._saving.succeeded(self._clock())
        if failures:
            _log.info("the PRNG exchange file is updated again")

    async def _save_at_the_end(self, file: ExchangeFile) -> None:
        error = self._update(file, durable=True)
        for _ in range(_LAST_TRIES):
            if not isinstance(error, ExchangeFileBusyError):
                break
            await asyncio.sleep(_LAST_PAUSE)
            error = self._update(file, durable=True)
        if error is not None:
            _log.warning("%s; the PRNG's state is not saved", error)

    def _update(self, file: ExchangeFile, *, durable: bool = False) -> HostError | None:
        try:
            file.update(self._renew, durable=durable)
        except HostError as error:
            self._exchange_failures += 1
            return error
        self._exchange_updates += 1
        self._exchanged_at = self._clock()
        return None

    def _renew(self, old: bytes) -> bytes:
        self._pool.stir(old)
        return self._pool.generate(EXCHANGE_SIZE, requests=0)
