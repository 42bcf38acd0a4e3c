"""A farm's ticket keys as one host holds them, whichever source they came from.

Values only: the time, in whole seconds since 1970, is an argument.
"""

import hmac
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tlsmgr.farm.epochs import EpochRules
from tlsmgr.tickets import TicketKey

#: Keys of one epoch that are kept. Two hosts that did not hear of each other may make one each,
#: and a store that lost its memory a third time over.
KEYS_OF_ONE_EPOCH_MAX: Final = 4


class FarmKeyState(StrEnum):
    """What a farm's key is good for at a time."""

    NEXT = "next"  #: of an epoch to come; accepted from shortly before it on
    CURRENT = "current"  #: new tickets are encrypted with it
    OTHER = "other"  #: of the present epoch, but another one encrypts; this one decrypts
    PREVIOUS = "previous"  #: of a former epoch: it decrypts
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmKey:
    """A ticket key of a farm, of which epoch it is, and from which source: ``ratchet`` or ``redis``."""

    epoch: int
    key: TicketKey
    source: str

    @classmethod
    def from_material(cls, material: bytes, *, epoch: int, rules: EpochRules, source: str) -> "FarmKey":
        """Return the key of an epoch made of ``KEY_MATERIAL_SIZE`` bytes.

        Raises:
            ValueError: there are more or fewer.
        """
        key = TicketKey.from_material(material, encrypts_until=rules.encrypts_until(epoch))
        return cls(epoch=epoch, key=key, source=source)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """Keys by their epochs, the latest first, and of one epoch first the one that encrypts.

    A table with another key is another table.
    """

    rules: EpochRules
    keys: tuple[FarmKey, ...] = ()

    def encryption_key(self, now: int) -> FarmKey | None:
        """Return the key for new tickets; None when there is none of the present epoch."""
        epoch = self.rules.epoch_at(now)
        return next((each for each in self.keys if each.epoch == epoch), None)

    def find(self, name: bytes, now: int) -> FarmKey | None:
        """Return the key called ``name``, or None when there is none, or when it is not its time."""
        for each in self.keys:
            if hmac.compare_digest(each.key.name, name) and self.rules.accepts(each.epoch, now):
                return each
        return None

    def given_out(self, found: FarmKey, now: int) -> TicketKey:
        """Return a key of this table as Postfix is to have it, that asked for it by its name.

        With the key of the next epoch smtpd would encrypt before everybody knows that, since its
        ``tout`` is the later one; so each key but the present one is given out to decrypt only.
        """
        if found == self.encryption_key(now):
            return found.key
        return found.key.only_to_decrypt(now)

    def with_key(self, added: FarmKey, *, preferred: bool = True) -> "KeyTable":
        """Return the table with a key more.

        Args:
            added: the key; one of its name that is there already gives way to it.
            preferred: encrypt with this one in its epoch; else with the one that did so far.
        """
        others = tuple(each for each in self.keys if each.key.name != added.key.name)
        same = tuple(each for each in others if each.epoch == added.epoch)
        kept = ((added, *same) if preferred else (*same, added))[:KEYS_OF_ONE_EPOCH_MAX]
        rest = (each for each in others if each.epoch != added.epoch)
        return replace(self, keys=tuple(sorted((*kept, *rest), key=lambda each: -each.epoch)))

    def pruned(self, now: int) -> "KeyTable":
        """Return the table without the keys whose time is over: whoever holds it needs them no more."""
        oldest = self.rules.oldest_accepted(now)
        return replace(self, keys=tuple(each for each in self.keys if each.epoch >= oldest))

    def state(self, found: FarmKey, now: int) -> FarmKeyState:
        """Return what a key of this table is good for."""
        epoch = self.rules.epoch_at(now)
        if found.epoch > epoch:
            return FarmKeyState.NEXT
        if found.epoch == epoch:
            return FarmKeyState.CURRENT if found == self.encryption_key(now) else FarmKeyState.OTHER
        return FarmKeyState.PREVIOUS if self.rules.accepts(found.epoch, now) else FarmKeyState.OVER


#: What a source has that has none: no key is found in it.
EMPTY_TABLE: Final = KeyTable(rules=EpochRules(epoch_seconds=1))
