"""Hosts that give each other their keys through a store, of which there is a model here."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from simulation.fates import Fate, Spells
from simulation.members import present
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKey, KeyTable
from tlsmgr.service.redis_key_source import REFRESH_SECONDS, RedisKeySource
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.service.shared_keys import SharedKeys
from tlsmgr.shared_store.failures import Cause, SharedStoreError

#: Seconds for which a host has been in touch with the store before it has to know what is there.
_IN_TOUCH_SECONDS = 2 * REFRESH_SECONDS


class StoreModel:
    """A store that is down now and then, and has lost everything afterwards half of the times."""

    def __init__(self, outages: Spells) -> None:
        self._outages = outages
        self._keys: dict[int, tuple[FarmKey, float]] = {}
        self._loses_all = False

    def is_up(self, time: float) -> bool:
        """Tell whether it answers; look at least once in each outage."""
        outage = self._outages.at(time)
        if outage is not None:
            self._loses_all = outage > 0
            return False
        if self._loses_all:
            self._keys.clear()
            self._loses_all = False
        return True

    def get(self, epoch: int, time: float) -> FarmKey | None:
        """Return the key of an epoch, until its time to live is over."""
        key, ends_at = self._keys.get(epoch, (None, 0.0))
        return key if time < ends_at else None

    def put_if_absent(self, own: FarmKey, left: float, time: float) -> FarmKey:
        """Return the key that is there then."""
        there = self.get(own.epoch, time)
        if there is None:
            self._keys[own.epoch] = own, time + left
        return there or own


class _Keys(SharedKeys):
    """Asks the model; sealing is the business of other tests."""

    def __init__(self, store: StoreModel, time: Callable[[], float], is_apart: Callable[[], bool]) -> None:
        self._store = store
        self._time = time
        self._is_apart = is_apart

    async def fetch(self, epoch: int, rules: EpochRules, generation: bytes) -> FarmKey | None:
        """See ``SharedKeys``."""
        del rules, generation
        self._reach()
        return self._store.get(epoch, self._time())

    async def publish(self, own: FarmKey, rules: EpochRules, generation: bytes, now: int) -> FarmKey:
        """See ``SharedKeys``."""
        del generation
        self._reach()
        return self._store.put_if_absent(own, rules.decrypts_until(own.epoch) - now, self._time())

    def _reach(self) -> None:
        if self._is_apart():
            raise SharedStoreError(Cause.UNREACHABLE, "it cannot be reached")


class _Mark(RevocationMark):
    """Nothing is revoked here."""

    def __init__(self) -> None:
        self.generation = 0
        self.is_known = True

    def when_known(self, callback: Callable[[], None]) -> None:
        """Never call it."""

    def when_moved(self, callback: Callable[[], None]) -> None:
        """Never call it."""

    async def refresh(self) -> str:
        """See ``RevocationMark``."""
        return ""


def settings_for(rules: EpochRules) -> Settings:
    """Return the parameters of hosts with these rules."""
    with TemporaryDirectory() as directory:
        text = (
            f"smtpd_tls_session_cache_timeout = {2 * rules.epoch_seconds}\ntlsmgr_clock_skew = {rules.skew}\n"
        )
        (Path(directory) / "main.cf").write_text(text)
        return load_settings(Path(directory))


class StoreMember:
    """A host whose keys come from the store. It has no file: a killed one asks for all of them again."""

    repairs = 0

    def __init__(self, fate: Fate, settings: Settings, store: StoreModel, random: Random) -> None:
        self.fate = fate
        self._settings = settings
        self._store = store
        self._random = random
        self._time = 0.0
        self._in_touch_since: float | None = None
        self._turn: tuple[int, int, int] = 0, 0, 0
        self._source = self._started()

    @property
    def table(self) -> KeyTable:
        """See ``Member``."""
        return self._source.table

    async def live(self, time: float, seconds: float) -> None:
        """See ``Member``: it looks when an epoch begins, when the next one's key is due, and now and then."""
        del seconds
        self._time = time
        if not self.fate.is_awake(time) or self._is_apart():
            self._in_touch_since = None
        elif self._in_touch_since is None:
            self._in_touch_since = time
        if not self.fate.is_awake(time):
            return
        if self.fate.kills.at(time) is not None:
            self._source = self._started()
        rules, now = self.table.rules, present(self, time)
        turn = rules.epoch_at(now), rules.epoch_at(now + rules.lead), int(time / REFRESH_SECONDS)
        if turn != self._turn or self._in_touch_since in (None, time):
            self._turn = turn
            await self._source.refresh()

    def is_in_order(self, time: float) -> bool:
        """See ``Member``: and it has been in touch with the store for a while."""
        since = self._in_touch_since
        in_touch = since is not None and time - since >= _IN_TOUCH_SECONDS
        return in_touch and self.fate.is_awake(time) and self.fate.has_right_clock(time)

    def keeps_to_the_rules(self, time: float) -> bool:
        """See ``Member``: it forgets when it looks."""
        now, rules = present(self, time), self.table.rules
        return all(now < rules.decrypts_until(each.epoch) + REFRESH_SECONDS for each in self.table.keys)

    def _is_apart(self) -> bool:
        return self.fate.apart.at(self._time) is not None or not self._store.is_up(self._time)

    def _started(self) -> RedisKeySource:
        keys = _Keys(self._store, lambda: self._time, self._is_apart)
        clock, random_bytes = lambda: float(present(self, self._time)), self._random.randbytes
        return RedisKeySource(keys, _Mark(), self._settings, clock, random_bytes, fingerprint="")
