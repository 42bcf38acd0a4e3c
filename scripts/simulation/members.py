"""Hosts that have the program's own key selection, and a model of everything around it."""

from typing import Protocol

from simulation.fates import Fate
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import KeyTable
from tlsmgr.farm.ratchet_host import RatchetHost
from tlsmgr.farm.secret import FarmSecret

#: The true time at which a simulation begins: in the middle of an epoch of any length.
BEGINNING = 1_700_000_123
#: Seconds after which somebody has looked into the log, and has imported the secret anew.
_OPERATOR_SECONDS = 900.0


class Member(Protocol):
    """One host of the farm.

    Attributes:
        fate: what befalls it.
        table: its keys at this moment.
    """

    fate: Fate

    @property
    def table(self) -> KeyTable:
        """The keys that it has now."""

    async def live(self, time: float, seconds: float) -> None:
        """Do what is due at a true time; so many seconds have passed since the last time."""

    def is_in_order(self, time: float) -> bool:
        """Tell whether it is awake, in the farm, and its clock within the skew: it has to know the keys."""

    def keeps_to_the_rules(self, time: float) -> bool:
        """Tell whether it has forgotten what it has to."""

    @property
    def repairs(self) -> int:
        """How often somebody had to come to it."""


def present(member: Member, time: float) -> int:
    """Return what a host's clock says, in whole seconds since 1970."""
    return int(BEGINNING + member.fate.clock(time))


class RatchetMember:
    """A host with a ratchet, and with a file that outlives it."""

    def __init__(self, fate: Fate, rules: EpochRules, farm: "list[RatchetMember]") -> None:
        self.fate = fate
        self.repairs = 0
        self._rules = rules
        self._farm = farm
        self._file: str | None = None
        self._host = RatchetHost()
        self._host.use(rules)
        self._monotonic = 0.0
        self._right_since: float | None = None

    @property
    def table(self) -> KeyTable:
        """See ``Member``."""
        return self._host.table

    def found(self, secret: FarmSecret) -> None:
        """Begin the farm."""
        self._import(secret)

    async def live(self, time: float, seconds: float) -> None:
        """See ``Member``: sleep is no time of the monotonic clock, and a killed one begins with its file."""
        if not self.fate.is_awake(time):
            self._right_since = None
            return
        self._monotonic += seconds
        if self._file is None:
            self._join(time)
        elif self.fate.kills.at(time) is not None:
            self._host = RatchetHost()
            self._host.use(self._rules)
            self._host.take(FarmSecret.from_text(self._file))
        self._work(time)
        self._watch(time)

    def is_in_order(self, time: float) -> bool:
        """See ``Member``; not while it waits for an import, after its clock was far ahead for long."""
        is_there = self._file is not None and self.fate.is_awake(time)
        return is_there and self.fate.has_right_clock(time) and not self._is_lost(time)

    def keeps_to_the_rules(self, time: float) -> bool:
        """See ``Member``: an advance has to stand for a while, and a disk may be full."""
        secret, now = self._host.secret, present(self, time)
        if any(now >= self._rules.decrypts_until(each.epoch) for each in self.table.keys):
            return False
        if secret is None or self._host.awaits_proof or self.fate.full_disk.at(time) is not None:
            return True
        return secret.ratchet.epoch >= self._rules.oldest_accepted(now)

    def exported(self, time: float) -> FarmSecret | None:
        """Return what a host that joins gets."""
        secret = self._host.secret
        if secret is None or not self.is_in_order(time):
            return None
        return secret.at(secret.ratchet.advanced(self._rules.oldest_accepted(present(self, time))))

    def _work(self, time: float) -> None:
        while self._host.work(present(self, time), self._monotonic):
            pass
        due = self._host.due(self._monotonic)
        if due is not None and self.fate.full_disk.at(time) is None:
            self._file = due.to_text()
            self._host.settle(due)

    def _join(self, time: float) -> None:
        if not self.fate.has_right_clock(time):
            return
        offers = (each.exported(time) for each in self._farm if each is not self)
        secret = next((offer for offer in offers if offer is not None), None)
        if secret is not None:
            self._import(secret)

    def _import(self, secret: FarmSecret) -> None:
        self._file = secret.to_text()
        self._host.take(FarmSecret.from_text(self._file))

    def _is_lost(self, time: float) -> bool:
        """Tell whether the file has gone along with a clock that was far ahead."""
        secret = self._host.secret
        return secret is not None and secret.ratchet.epoch > self._rules.epoch_at(present(self, time))

    def _watch(self, time: float) -> None:
        if not (self.fate.has_right_clock(time) and self._is_lost(time)):
            self._right_since = None
        elif self._right_since is None:
            self._right_since = time
        elif time - self._right_since > _OPERATOR_SECONDS:
            self.repairs += 1
            self._join(time)
            self._work(time)
