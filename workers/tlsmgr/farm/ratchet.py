"""The ratchet: a chain of keys, one an epoch, each derived one-way from the one before.

Whoever has the chain key of an epoch has those of all later ones, and none of an earlier one.
docs/farm.md publishes the derivation, with test vectors. Values only: no clock, no I/O.
"""

import hmac
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, NoReturn, Self

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tlsmgr.tickets import KEY_MATERIAL_SIZE

CHAIN_KEY_SIZE: Final = 32

#: Seconds of monotonic time that a leap of more than one epoch must stand before it is for good.
PROOF_SECONDS: Final = 60.0
#: Those that an advance by one must stand: longer than a clock is wrong that is set right at once.
USUAL_PROOF_SECONDS: Final = 10.0

_CHAIN_LABEL: Final = b"tlsmgr farm 1 chain key"
_TICKET_KEY_LABEL: Final = b"tlsmgr farm 1 ticket key"
# The epoch's length and number.
_PLACE: Final = struct.Struct(">IQ")
_USUAL_ADVANCE: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratchet:
    """The chain at one epoch. Its repr shows the epoch, and nothing of the key.

    It cannot be pickled or copied, so that it does not end in a file or in another process by mistake.

    Raises:
        ValueError: the key has not 32 bytes, or the numbers are out of range; it is not quoted.
    """

    epoch_seconds: int
    epoch: int
    chain_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.chain_key) != CHAIN_KEY_SIZE:
            raise ValueError(f"a chain key has {CHAIN_KEY_SIZE} bytes, not {len(self.chain_key)}")
        if not (0 < self.epoch_seconds < 1 << 32 and 0 <= self.epoch < 1 << 63):
            raise ValueError("an epoch's length or number is out of range")

    @classmethod
    def make(cls, random_bytes: Callable[[int], bytes], *, epoch_seconds: int, epoch: int) -> Self:
        """Return a new chain that begins at ``epoch``; ``random_bytes`` is asked once, for 32 bytes."""
        return cls(epoch_seconds=epoch_seconds, epoch=epoch, chain_key=random_bytes(CHAIN_KEY_SIZE))

    def next(self) -> Self:
        """Return the chain at the next epoch."""
        key = self._derived(_CHAIN_LABEL, CHAIN_KEY_SIZE)
        return replace(self, epoch=self.epoch + 1, chain_key=key)

    def advanced(self, epoch: int, *, steps: int | None = None) -> Self:
        """Return the chain at ``epoch``, or as near to it as so many steps lead.

        A step takes some 15 us. There is no way back: for an earlier epoch this is the same chain.
        """
        ahead = max(0, epoch - self.epoch)
        chain = self
        for _ in range(ahead if steps is None else min(ahead, steps)):
            chain = chain.next()
        return chain

    def key_material(self) -> bytes:
        """Return the bytes that the ticket key of this epoch is made of: name, cipher key, MAC key."""
        return self._derived(_TICKET_KEY_LABEL, KEY_MATERIAL_SIZE)

    def following(self, count: int) -> Iterator[Self]:
        """Yield this chain and the next ones, ``count`` in all."""
        return islice(self._all_following(), count)

    def _all_following(self) -> Iterator[Self]:
        chain = self
        while True:
            yield chain
            chain = chain.next()

    def _derived(self, label: bytes, size: int) -> bytes:
        info = label + _PLACE.pack(self.epoch_seconds, self.epoch)
        return HKDF(algorithm=SHA512(), length=size, salt=None, info=info).derive(self.chain_key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ratchet):
            return NotImplemented
        same_place = (self.epoch_seconds, self.epoch) == (other.epoch_seconds, other.epoch)
        return same_place and hmac.compare_digest(self.chain_key, other.chain_key)

    def __hash__(self) -> int:
        return hash((self.epoch_seconds, self.epoch))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ratchet can be neither copied nor pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a host is in the chain: what it keeps for good, and what it works with.

    The two differ after an advance, and longer after a leap: the host slept, or its clock is wrong. It
    works with the later one at once, and forgets the former one only when an advance by one epoch has
    stood for ten seconds, and a leap for a minute, so that a clock that was wrong for a moment costs nothing.

    Attributes:
        kept: what is in the file; nothing before it can be derived any more.
        working: at or after ``kept``.
        advanced_at: the monotonic time at which ``working`` was seen first to be due; None at ``kept``.
        leapt_at: that at which a leap was seen first; None without one.
    """

    kept: Ratchet
    working: Ratchet
    advanced_at: float | None = None
    leapt_at: float | None = None

    @classmethod
    def at(cls, chain: Ratchet) -> Self:
        """Return the progress of a host that has just this chain."""
        return cls(kept=chain, working=chain)

    def towards(self, oldest: int, *, monotonic: float, steps: int) -> Self:
        """Return the progress after at most so many steps to the oldest epoch that is needed.

        When the clock went back the way is begun again from ``kept``, which may be too far as well:
        see ``is_ahead_of``.
        """
        start = self.working if self.working.epoch <= oldest else self.kept
        ahead = oldest - self.kept.epoch
        advanced_at = monotonic if self.advanced_at is None else self.advanced_at
        leapt_at = monotonic if self.leapt_at is None else self.leapt_at
        return replace(
            self,
            working=start.advanced(oldest, steps=steps),
            advanced_at=advanced_at if ahead > 0 else None,
            leapt_at=leapt_at if ahead > _USUAL_ADVANCE else None,
        )

    def is_at(self, oldest: int) -> bool:
        """Tell whether the chain to work with has every key from ``oldest`` on that there is to be had."""
        return self.working.epoch == max(oldest, self.kept.epoch)

    def is_ahead_of(self, newest: int) -> bool:
        """Tell whether no key that is needed up to epoch ``newest`` can be derived."""
        return self.kept.epoch > newest

    def is_proven(self, *, monotonic: float) -> bool:
        """Tell whether what came before ``working`` is to be forgotten now."""
        if self.working.epoch <= self.kept.epoch or self.advanced_at is None:
            return False
        if self.leapt_at is None:
            return monotonic - self.advanced_at >= USUAL_PROOF_SECONDS
        return monotonic - self.leapt_at >= PROOF_SECONDS

    def settled(self) -> Self:
        """Return the progress without anything from before ``working``."""
        return self.at(self.working)
