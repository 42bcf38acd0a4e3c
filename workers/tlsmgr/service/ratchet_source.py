"""Ticket keys that each host of a farm derives for itself, from a secret that all of them have."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tlsmgr.config.settings import Settings
from tlsmgr.errors import TlsmgrError
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import KeyTable
from tlsmgr.farm.ratchet_host import SOURCE, RatchetHost
from tlsmgr.farm.secret_file import SecretFile, SecretReplacedError, Stamp
from tlsmgr.messages import CacheType
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.service.farm_keys import FarmRevocation

_log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0
#: How long a start waits for the keys; after a very long sleep they take longer.
_START_SECONDS: Final = 0.5
_READ: Final = "reading the ratchet's file"
_REPLACE: Final = "replacing the ratchet's file"
_FAULT: Final = "the ratchet"
_CLOCK: Final = "clock"
_REKEY: Final = (
    "farm: this host uses keys of its own until the next epoch. The other hosts have the former key, and the"
    " way to all that follow: if the farm's secret may be known, make a new one (tlsmgr farm new-secret),"
    " and on each host: tlsmgr revoke, then tlsmgr farm import"
)


@dataclass(slots=True, kw_only=True)
class RatchetFigures:
    """What was counted since the start."""

    advances: int = 0  #: times that keys were forgotten for good, in the file too
    catch_ups: int = 0  #: leaps over more than one epoch: after a sleep, or with another clock
    failures: int = 0  #: times that the file could not be read or replaced
    early_tickets: int = 0  #: tickets of epochs that are still far ahead by this host's clock


class RatchetSource:
    """Derives the keys, keeps the file at the oldest epoch that is still needed, and forgets what was before.

    A ``FarmKeySource``. All that takes longer than a moment is done in slices, or in a thread. The
    file may be replaced by another process at any time, and is taken over within a second.

    Args:
        file: where the secret is.
        settings: the parameters.
        clock: the time of day in seconds since 1970.
        monotonic: a clock that nobody sets.
    """

    name = SOURCE

    def __init__(
        self,
        file: SecretFile,
        settings: Settings,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self.counted = RatchetFigures()
        self._file = file
        self._clock = clock
        self._monotonic = monotonic
        self._trouble = OccasionalLog(_log, monotonic)
        self._host = RatchetHost()
        self._read_trouble = "it has not been read yet"
        self._replace_trouble = ""
        self._stamp: Stamp | None = None
        self._state_since = monotonic()
        self._has_leapt = False
        self._turn = asyncio.Lock()
        self._closing = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self.use(settings)

    @property
    def table(self) -> KeyTable:
        """See ``FarmKeySource``."""
        return self._host.table

    @property
    def trouble(self) -> str:
        """Why there is no key of the farm for new tickets; empty when there is, or there are no tickets."""
        trouble = self._host.trouble(int(self._clock()))
        return "" if trouble is None else self._read_trouble or trouble.text

    @property
    def file_trouble(self) -> str:
        """What is wrong with the file, also while there are keys; empty if nothing is."""
        return self._read_trouble or self._replace_trouble

    def use(self, settings: Settings) -> None:
        """See ``FarmKeySource``."""
        timeout = settings.caches[CacheType.SMTPD].timeout
        self._host.use(EpochRules.for_timeout(timeout, settings.tlsmgr_clock_skew) if timeout else None)

    async def start(self) -> None:
        """See ``FarmKeySource``."""
        first = asyncio.ensure_future(self._tick_whatever_happens())
        self._ticking = asyncio.ensure_future(self._keep_ticking(first))
        await asyncio.wait({first}, timeout=_START_SECONDS)

    async def close(self) -> None:
        """See ``FarmKeySource``; a replacement of the file that is under way is completed."""
        self._closing.set()
        if self._ticking is not None:
            await self._ticking
        async with self._turn:
            self._file.close()

    def enter_jail(self, root: Path) -> None:
        """Need nothing: the directory is open."""

    def epoch_of(self, name: bytes) -> int | None:
        """See ``FarmKeySource``."""
        return self._host.epoch_of(name)

    def missed(self, name: bytes) -> None:
        """See ``FarmKeySource``: a ticket of an epoch to come tells that a clock is wrong."""
        epoch, rules, now = self._host.epoch_of(name), self.table.rules, int(self._clock())
        if epoch is None or epoch <= rules.newest_accepted(now):
            return
        self.counted.early_tickets += 1
        self._trouble.warning(
            _CLOCK,
            "a client has a ticket of epoch %d, which begins in %d s by this host's clock: that clock,"
            " or that of the host which made the ticket, is wrong by more than tlsmgr_clock_skew",
            epoch,
            rules.begins_at(epoch) - now,
        )

    def revoke(self) -> Awaitable[FarmRevocation]:
        """See ``FarmKeySource``: have no key of the present epoch, nor the chain that it comes from."""
        self._host.revoke(int(self._clock()))
        return asyncio.ensure_future(self._revoked())

    def figures(self) -> Mapping[str, object]:
        """See ``FarmKeySource``."""
        now, secret = int(self._clock()), self._host.secret
        return {
            "source": self.name,
            "ready": {self.name: self.table.encryption_key(now) is not None},
            "trouble": self.trouble,
            "file_trouble": self.file_trouble,
            "fingerprint": "" if secret is None else secret.fingerprint,
            "epoch": None if secret is None else secret.ratchet.epoch,
            "epoch_seconds": None if secret is None else secret.ratchet.epoch_seconds,
            "state_age": self._monotonic() - self._state_since,
            **asdict(self.counted),
        }

    async def tick(self) -> None:
        """Do what is due: take over another file, advance, forget."""
        async with self._turn:
            await self._read_if_changed()
            await self._work()
            await self._forget()
        self._tell(int(self._clock()))

    async def _keep_ticking(self, first: "asyncio.Future[None]") -> None:
        await first
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _TICK_SECONDS)
            await self._tick_whatever_happens()

    async def _tick_whatever_happens(self) -> None:
        try:
            await self.tick()
        except Exception as error:  # noqa: BLE001 - a fault here must not leave the host at one epoch for ever
            kind = type(error).__name__
            if self._trouble.warning(_FAULT, "a round of the ratchet failed: %s", kind, cause=kind):
                _log.exception("the next one is in a second; please report this fault")

    async def _read_if_changed(self) -> None:
        if self._read_trouble or self._file.stamp() != self._stamp:
            await self._read()

    async def _read(self) -> None:
        self._stamp = self._file.stamp()
        try:
            secret = await asyncio.to_thread(self._file.read)
        except TlsmgrError as error:
            self._read_trouble = str(error)
            self._fail(_READ, self._read_trouble)
            return
        self._read_trouble = ""
        self._trouble.recovered(_READ, "the file with the farm's secret can be used again")
        if secret != self._host.secret:
            self._host.take(secret)
            self._state_since = self._monotonic()
            _log.info(
                "ticket keys of the farm %s, from epoch %d on", secret.fingerprint, secret.ratchet.epoch
            )

    async def _work(self) -> None:
        while self._host.work(int(self._clock()), self._monotonic()) and not self._closing.is_set():  # noqa: ASYNC110 - others have their turn between two slices
            await asyncio.sleep(0)

    async def _forget(self) -> str:
        """Replace the file by what is due; return why it was not, empty if it was, or if nothing is."""
        due, former = self._host.due(self._monotonic()), self._host.secret
        if due is None:
            return ""
        try:
            self._stamp = await asyncio.to_thread(self._file.replace, due, former=former)
        except SecretReplacedError as error:
            self._stamp = None  # somebody imported another one: the next tick reads it
            return str(error)
        except TlsmgrError as error:
            self._replace_trouble = f"keys of former epochs are still in it: {error}"
            self._fail(_REPLACE, self._replace_trouble)
            return str(error)
        self._host.settle(due)
        self._state_since = self._monotonic()
        self.counted.advances += 1
        self._replace_trouble = ""
        self._trouble.recovered(_REPLACE, "the file with the farm's secret can be replaced again")
        return ""

    async def _revoked(self) -> FarmRevocation:
        async with self._turn:
            await self._read_if_changed()
            self._host.revoke(int(self._clock()))  # also what was imported just before
            await self._work()
            failure = await self._forget()
        if not self._host.is_revoking:
            return FarmRevocation(advice=_REKEY)
        reason = failure or self._read_trouble or "the way to the present epoch is long, and not yet gone"
        return FarmRevocation(
            advice=_REKEY, failure=f"the file with the farm's secret is as it was: {reason}"
        )

    def _fail(self, subject: str, reason: str) -> None:
        self.counted.failures += 1
        self._trouble.warning(subject, "the farm's secret: %s", reason, cause=reason)

    def _tell(self, now: int) -> None:
        trouble = self._host.trouble(now)
        if trouble is not None and not self._read_trouble:
            text = "ticket keys of this host's own are used: %s"
            self._trouble.warning(SOURCE, text, trouble.text, cause=trouble.kind)
        elif trouble is None:
            self._trouble.recovered(SOURCE, "the farm's ticket keys are used again")
        if self._host.leapt and not self._has_leapt:
            self.counted.catch_ups += 1
            _log.warning(
                "the clock is more than an epoch ahead of the farm's secret: this host was off, or its clock"
                " is wrong; if it stays so for a minute, keys of the epochs between are forgotten"
            )
        self._has_leapt = self._host.leapt
