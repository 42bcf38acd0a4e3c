"""Ticket keys that the hosts of a farm give each other through a store that all of them reach."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from tlsmgr.config.settings import Settings
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import EMPTY_TABLE, FarmKey, KeyTable
from tlsmgr.going_on import going_on
from tlsmgr.messages import CacheType
from tlsmgr.occasional_log import OccasionalLog
from tlsmgr.sealing.sealer import TamperedError
from tlsmgr.service.farm_keys import LOCAL, FarmRevocation
from tlsmgr.service.kept_farm_keys import KeptFarmKeys
from tlsmgr.service.redis_figures import RedisFigures
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.shared_keys import SOURCE, SharedKeys
from tlsmgr.shared_store.failures import SharedStoreError
from tlsmgr.tickets import KEY_MATERIAL_SIZE

_log = logging.getLogger(__name__)

#: Seconds between two looks at the store, at most; after a failure, and after a ticket of a key that
#: is not known, sooner.
REFRESH_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 1.0
# How long a start waits for the keys.
_START_SECONDS: Final = 0.5
_ADVICE: Final = (
    "farm: new ticket keys are in the shared store; the other hosts use them within half a minute, if they"
    " reach it. If the farm's secret may be known, make a new one (tlsmgr farm new-secret) for all hosts"
)


class RedisKeySource:
    """Takes the keys that are in the store, and makes those that are due and missing. A ``FarmKeySource``.

    Every host looks every half minute, and when an epoch begins or the next one's key is due: that is
    published so long ahead that all have it. While the store cannot be asked, the keys that are there
    stay in use to their end, and an epoch without one gets one of this host's own, which is
    published later if there is none then.

    Args:
        keys: the keys in the store.
        mark: tells when all of them were revoked.
        settings: the parameters.
        clock: the time of day in seconds since 1970.
        random_bytes: what keys are made of.
        fingerprint: of the farm's secret, to be shown.
        kept: has the keys of the process before this one; None for keys in memory alone.
    """

    name = SOURCE

    def __init__(
        self,
        keys: SharedKeys,
        mark: RevocationMark,
        settings: Settings,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        fingerprint: str,
        kept: KeptFarmKeys | None = None,
    ) -> None:
        self.counted = RedisFigures()
        self._keys = keys
        self._mark = mark
        self._clock = clock
        self._random_bytes = random_bytes
        self._kept = kept
        self._fingerprint = fingerprint
        self._loop = asyncio.get_running_loop()
        self._trouble = OccasionalLog(_log, self._loop.time)
        self._reason = "the store has not been asked yet"
        self._asked_at = self._loop.time()
        self._table = EMPTY_TABLE
        self._has_tickets = False
        self._turn = asyncio.Lock()
        self._is_wanted = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._is_closed = False
        self._generation = mark.generation
        mark.when_moved(self._heed_mark)
        mark.when_known(self._heed_mark)
        self.use(settings)

    @property
    def table(self) -> KeyTable:
        """See ``FarmKeySource``."""
        return self._table

    def use(self, settings: Settings) -> None:
        """See ``FarmKeySource``."""
        timeout = settings.caches[CacheType.SMTPD].timeout
        self._has_tickets = timeout > 0
        table = EMPTY_TABLE
        if timeout > 0:
            table = KeyTable(rules=EpochRules.for_timeout(timeout, settings.tlsmgr_clock_skew))
        if table.rules != self._table.rules:
            self._table = table
        self._is_wanted.set()

    async def start(self) -> None:
        """See ``FarmKeySource``."""
        if self._kept is not None:
            self._kept.open()
            self._generation, self._table = self._kept.load(self._table.rules)
            # A store that was set back must not have what was revoked used again.
            self._mark.at_least(self._generation)
            self._heed_mark()
        first = asyncio.ensure_future(self.refresh())
        self._working = asyncio.ensure_future(self._keep_up(first))
        await asyncio.wait({first}, timeout=_START_SECONDS)

    async def close(self) -> None:
        """See ``FarmKeySource``."""
        self._is_closed = True  # a cancellation alone may get lost in redis-py
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working
        if self._kept is not None:
            self._kept.close()

    def enter_jail(self, root: Path) -> None:
        """Need nothing, but that the store is reached from in there."""

    def epoch_of(self, name: bytes) -> int | None:  # noqa: ARG002 - see the protocol
        """Return None: names are random."""
        return None

    def missed(self, name: bytes) -> None:  # noqa: ARG002 - see the protocol
        """See ``FarmKeySource``: another host has a key that we have not, or had one; or our clock leapt."""
        self._is_wanted.set()

    def revoke(self) -> Awaitable[FarmRevocation]:
        """See ``FarmKeySource``: whoever tells the store of the revocation does so at the same time."""
        rules, now = self._table.rules, int(self._clock())
        names = [self._keys.name(epoch, rules, self._mark.place) for epoch in self._wanted(now)]
        self._table = replace(self._table, keys=())
        return asyncio.ensure_future(self._revoked(names, "" if self._kept is None else self._kept.remove()))

    def figures(self) -> Mapping[str, object]:
        """See ``FarmKeySource``."""
        now = int(self._clock())
        rules, keys = self._table.rules, self._table.keys
        return {
            "source": self.name,
            "ready": {self.name: _is_shared(self._table.encryption_key(now))},
            "trouble": self._reason if self._has_tickets else "",
            "fingerprint": self._fingerprint,
            "epoch": min((each.epoch for each in keys), default=None),
            "epoch_seconds": rules.epoch_seconds if self._has_tickets else None,
            "state_age": self._loop.time() - self._asked_at,
            **asdict(self.counted),
        }

    async def refresh(self) -> None:
        """Take over what other hosts did, and do what is due."""
        async with self._turn:
            reason = await self._mark.refresh()
            now, rules = int(self._clock()), self._table.rules
            self._table = self._table.pruned(now)
            for epoch in self._wanted(now):
                reason = reason or await self._settle(epoch, now)
                if rules != self._table.rules:
                    break  # those epochs are others now, whose turn is soon
                if reason:
                    self._make_do(epoch, now)
            self._reason = reason
            if self._kept is not None and self._has_tickets:
                self._kept.save(self._generation, self._table)
        if not reason:
            self._asked_at = self._loop.time()

    def _heed_mark(self) -> None:
        if self._generation != self._mark.generation:
            self._generation = self._mark.generation
            self._table = replace(self._table, keys=())
            self._is_wanted.set()

    def _wanted(self, now: int) -> range:
        """Return the epochs whose keys are to be had now: the next one's ahead of its time."""
        rules = self._table.rules
        last = rules.epoch_at(now + rules.lead) if self._has_tickets else -1
        return range(rules.oldest_accepted(now), last + 1)

    async def _settle(self, epoch: int, now: int) -> str:
        """Agree with the other hosts on the key of an epoch; return why not, empty if it succeeded."""
        rules, generation = self._table.rules, self._mark.place
        try:
            found = await self._keys.fetch(epoch, rules, generation)
            if rules != self._table.rules or generation != self._mark.place:
                return ""  # all begins anew; what was held is not to be published any more
            own = self._held(epoch)
            if found is None and (own is not None or epoch >= rules.epoch_at(now)):
                own = own or self._made(epoch)
                found = await self._keys.publish(own, rules, generation, now)
        except SharedStoreError as error:
            self.counted.failures += 1
            return str(error)
        except TamperedError as error:
            return self._tampered_with(epoch, error)
        if found is not None and rules == self._table.rules and generation == self._mark.place:
            self._take(found, own)
        return ""

    def _take(self, found: FarmKey, own: FarmKey | None) -> None:
        """Encrypt with this key in its epoch; one of our own that lost decrypts."""
        if found == self._held(found.epoch):
            return
        if found.key.name in {each.key.name for each in self._table.keys}:
            pass  # it is known, and was not published so far, or another one encrypted
        elif own is not None and found.key.name == own.key.name:
            self.counted.made += 1
        else:
            self.counted.adopted += 1
        self._table = self._table.with_key(found)

    def _make_do(self, epoch: int, now: int) -> None:
        """Have a key of our own for the present epoch, if there is none: it is published later."""
        if epoch == self._table.rules.epoch_at(now) and self._held(epoch) is None:
            self.counted.made += 1
            self._table = self._table.with_key(replace(self._made(epoch), source=LOCAL))

    def _held(self, epoch: int) -> FarmKey | None:
        return next((each for each in self._table.keys if each.epoch == epoch), None)

    def _made(self, epoch: int) -> FarmKey:
        material = self._random_bytes(KEY_MATERIAL_SIZE)
        return FarmKey.from_material(material, epoch=epoch, rules=self._table.rules, source=SOURCE)

    def _tampered_with(self, epoch: int, error: TamperedError) -> str:
        self.counted.tampered += 1
        reason = (
            f"the ticket key of epoch {epoch} in the shared store was put there by no host of this farm:"
            f" {error}; see who else can write to the store"
        )
        self._trouble.warning("tampering", "%s", reason)
        return reason

    async def _revoked(self, names: list[bytes], failure: str) -> FarmRevocation:
        try:
            await self._keys.remove(names)
        except SharedStoreError as error:
            failure = str(error)
        await self.refresh()
        return FarmRevocation(advice=_ADVICE, failure=failure)

    async def _keep_up(self, first: "asyncio.Future[None]") -> None:
        with going_on(_log, "looking for the farm's ticket keys"):
            await first
        while not self._is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._is_wanted.wait()
            self._is_wanted.clear()
            with going_on(_log, "looking for the farm's ticket keys"):
                await self.refresh()
            if not self._is_closed:
                # Tickets of a key that nobody has do not make us ask more often.
                await asyncio.sleep(_PAUSE_SECONDS)

    def _pause(self) -> float:
        """Return the seconds until there is something to do, at most."""
        if self._reason:
            return _RETRY_SECONDS
        if not self._has_tickets:
            return REFRESH_SECONDS
        now, rules = self._clock(), self._table.rules
        turns = (rules.begins_at(rules.epoch_at(int(now + ahead)) + 1) - ahead for ahead in (0, rules.lead))
        return max(0.0, min(REFRESH_SECONDS, rules.lead / 4, *(turn - now for turn in turns)))


def _is_shared(key: FarmKey | None) -> bool:
    return key is not None and key.source != LOCAL
