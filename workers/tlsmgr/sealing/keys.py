"""The keys that seal sessions and ticket keys: held in memory, shown by nothing.

A worker that is restarted takes them from the other one (``hand_over``). So that two
workers which could not talk for a while lose nothing, they keep a few keys: one seals,
all of them open.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NoReturn, Self, TypeVar

from tlsmgr.errors import ProtocolError

SEALING_KEY_SIZE: Final = 32
KEY_ID_SIZE: Final = 8

#: Keys that are kept: the one that seals, and those of workers that were out of touch.
KEYS_MAX: Final = 4
#: Revoked keys that are remembered, so that none comes back from the other worker.
REVOKED_MAX: Final = 32

_ID_LABEL: Final = b"tlsmgr sealing key id"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SealingKey:
    """A key of 256 bits. Its repr shows its id, which tells keys apart and nothing else.

    It cannot be pickled or copied, so that it does not end in a file or in another process
    by mistake.

    Raises:
        ValueError: the secret has not 32 bytes; the message does not quote it.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SEALING_KEY_SIZE:
            raise ValueError(f"a sealing key has {SEALING_KEY_SIZE} bytes, not {len(self.secret)}")

    @classmethod
    def make(cls, random_bytes: Callable[[int], bytes]) -> Self:
        """Return a new key; ``random_bytes`` is asked once, for 32 bytes."""
        return cls(random_bytes(SEALING_KEY_SIZE))

    @property
    def id(self) -> bytes:
        """Eight bytes that follow from the key, and from which nothing about it follows."""
        return hmac.digest(self.secret, _ID_LABEL, sha256)[:KEY_ID_SIZE]

    def __repr__(self) -> str:
        return f"<SealingKey {self.id.hex()}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SealingKey):
            return NotImplemented
        return hmac.compare_digest(self.secret, other.secret)

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealing key can be neither copied nor pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingKeys:
    """All keys that a worker holds: the first one seals, every one opens.

    Attributes:
        keys: at most ``KEYS_MAX``, none twice; empty for a worker that has not got any yet.
        revoked: the ids of keys that must not come back, the latest first.
    """

    keys: tuple[SealingKey, ...] = ()
    revoked: tuple[bytes, ...] = ()

    @property
    def current(self) -> SealingKey | None:
        """The key that seals."""
        return self.keys[0] if self.keys else None

    def merged(self, other: "SealingKeys") -> "SealingKeys":
        """Return our keys and then those of ``other``, less what either of us revoked.

        So two workers that merge the same two values in the same order have the same keys.
        """
        revoked = _distinct((*self.revoked, *other.revoked), REVOKED_MAX)
        kept = (key for key in (*self.keys, *other.keys) if key.id not in revoked)
        return SealingKeys(keys=_distinct(kept, KEYS_MAX), revoked=revoked)

    def renewed(self, key: SealingKey) -> "SealingKeys":
        """Return ``key`` alone, with all present ones revoked: nothing sealed so far opens again."""
        former = (each.id for each in self.keys)
        return SealingKeys(keys=(key,), revoked=_distinct((*former, *self.revoked), REVOKED_MAX))

    def to_wire(self) -> tuple[bytes, bytes]:
        """Return the secrets, one after the other, and the revoked ids, for the other worker alone."""
        return b"".join([key.secret for key in self.keys]), b"".join(self.revoked)

    @classmethod
    def from_wire(cls, keys: object, revoked: object) -> Self:
        """Return what ``to_wire`` took apart.

        Raises:
            ProtocolError: it is something else; the message does not quote it.
        """
        secrets = _blocks(keys, SEALING_KEY_SIZE, KEYS_MAX)
        ids = _blocks(revoked, KEY_ID_SIZE, REVOKED_MAX)
        return cls(keys=_distinct(map(SealingKey, secrets), KEYS_MAX), revoked=_distinct(ids, REVOKED_MAX))


def _distinct(items: Iterable[_T], limit: int) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))[:limit]


def _blocks(value: object, size: int, limit: int) -> list[bytes]:
    if isinstance(value, bytes) and len(value) % size == 0 and len(value) <= limit * size:
        return [value[at : at + size] for at in range(0, len(value), size)]
    raise ProtocolError("sealing keys were sent in a form that is not theirs")
