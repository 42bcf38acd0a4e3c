"""The farm's ticket keys in a store that hosts share: one for each epoch, whoever made it."""

import struct
from typing import Final

from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKey
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.shared_link import SharedLink
from tlsmgr.shared_store.store import SharedRemove

#: What such keys have as their source.
SOURCE: Final = "redis"
_MILLISECONDS: Final = 1000
_PLACE: Final = b"shared ticket key"
_EPOCH: Final = struct.Struct(">IQ")


class SharedKeys:
    """Reads and publishes keys; none is ever overwritten, except after a revocation, by other names.

    A key is bound to the epoch's length and number, and to the generation of what is shared: moved to
    another epoch, or brought back after a revocation, it does not open.

    Which generation it is, each method is told: it may change while one of them waits for the store.

    Args:
        link: the store.
        sealer: seals for all hosts of the farm.
    """

    def __init__(self, link: SharedLink, sealer: SharedSealer) -> None:
        self._link = link
        self._sealer = sealer

    def name(self, epoch: int, rules: EpochRules, generation: bytes) -> bytes:
        """Return the key in the store of an epoch's ticket key."""
        return self._sealer.name(*_place(epoch, rules, generation))

    async def fetch(self, epoch: int, rules: EpochRules, generation: bytes) -> FarmKey | None:
        """Return the key of an epoch, or None.

        Raises:
            SharedStoreError: the store cannot be asked.
            TamperedError: what is there was put there by no host of this farm.
        """
        name = self.name(epoch, rules, generation)
        sealed = await self._link.ask(lambda store: store.get(name), is_quick=False)
        return None if sealed is None else self._opened(sealed, epoch, rules, generation)

    async def publish(self, own: FarmKey, rules: EpochRules, generation: bytes, now: int) -> FarmKey:
        """Have all hosts use a key, unless there is one; return the key that they use.

        Raises:
            SharedStoreError: it is not known whether it was published.
            TamperedError: what is there was put there by no host of this farm.
        """
        place = _place(own.epoch, rules, generation)
        sealed = self._sealer.seal(own.key.name + own.key.cipher_key + own.key.mac_key, *place)
        name, left = self._sealer.name(*place), (rules.decrypts_until(own.epoch) - now) * _MILLISECONDS
        there = await self._link.ask(lambda store: store.put_if_absent(name, sealed, left), is_quick=False)
        return self._opened(there, own.epoch, rules, generation)

    async def remove(self, names: list[bytes]) -> None:
        """Remove keys by their names in the store.

        Raises:
            SharedStoreError: they are there yet, or some of them.
        """
        removals = [SharedRemove(key=name) for name in names]
        for error in await self._link.ask(lambda store: store.apply(removals), is_quick=False):
            if error is not None:
                raise error

    def _opened(self, sealed: bytes, epoch: int, rules: EpochRules, generation: bytes) -> FarmKey:
        material = self._sealer.open(sealed, *_place(epoch, rules, generation))
        return FarmKey.from_material(material, epoch=epoch, rules=rules, source=SOURCE)


def _place(epoch: int, rules: EpochRules, generation: bytes) -> tuple[bytes, ...]:
    return _PLACE, generation, _EPOCH.pack(rules.epoch_seconds, epoch)
