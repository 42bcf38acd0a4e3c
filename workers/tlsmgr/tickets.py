"""Session ticket keys (RFC 5077) and their rotation, as Postfix's tlsmgr(8) has it.

Values only: the time, in whole seconds since the epoch, and the randomness are arguments.
"""

import hmac
import struct
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Self

from tlsmgr.messages import TICKET_KEY_NAME_SIZE

CIPHER_KEY_SIZE: Final = 32
MAC_KEY_SIZE: Final = 32

#: How many random bytes one key is made of.
KEY_MATERIAL_SIZE: Final = TICKET_KEY_NAME_SIZE + CIPHER_KEY_SIZE + MAC_KEY_SIZE

# Postfix's TLS_TICKET_KEY, in the C compiler's own layout. The struct module has no time_t.
_TIME_CODES = {4: "i", 8: "q"}
_TIME_CODE = _TIME_CODES[sysconfig.get_config_var("SIZEOF_TIME_T") or 8]
_LAYOUT = struct.Struct(f"@{TICKET_KEY_NAME_SIZE}s{CIPHER_KEY_SIZE}s{MAC_KEY_SIZE}s{_TIME_CODE}")

#: Bytes of a packed key: 88 where time_t has 64 bits.
PACKED_KEY_SIZE: Final = _LAYOUT.size

_RING_SLOTS: Final = 2  # the current and the previous key


def revocation_delay(*, timeout: int, lease: int) -> int:
    """Return how long running smtpd processes may accept tickets of keys that are revoked now.

    A process that has a key encrypts with it for what was left when it got the key, and decrypts
    with it for a whole ``timeout`` more without asking. (In Postfix, a key's decryption time in
    smtpd is half of OpenSSL's session timeout, which it sets to twice the cache's.) A process
    that ends, by itself or at ``postfix reload``, accepts none of them any more.

    Args:
        timeout: the lifetime of a session in seconds, with which keys were given out.
        lease: the lease in seconds, likewise; 0 for none.

    Returns:
        Seconds, at the worst; the clock is taken to be steady.
    """
    if timeout <= 0:
        return 0
    left = max(0, timeout // 2 - 1)
    return timeout + (min(left, lease) if lease > 0 else left)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TicketKey:
    """One key; its repr shows its name, which travels in the clear with every ticket, and no more.

    New tickets are encrypted with it while ``encrypts_until`` lies in the future.
    """

    name: bytes
    cipher_key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)
    encrypts_until: int

    def __post_init__(self) -> None:
        sizes = len(self.name), len(self.cipher_key), len(self.mac_key)
        if sizes != (TICKET_KEY_NAME_SIZE, CIPHER_KEY_SIZE, MAC_KEY_SIZE):
            raise ValueError(f"a ticket key has parts of 16, 32 and 32 bytes, not of {sizes}")

    @classmethod
    def from_material(cls, material: bytes, *, encrypts_until: int) -> Self:
        """Return the key made of ``KEY_MATERIAL_SIZE`` random bytes.

        Raises:
            ValueError: there are more or fewer.
        """
        name, rest = material[:TICKET_KEY_NAME_SIZE], material[TICKET_KEY_NAME_SIZE:]
        cipher_key, mac_key = rest[:CIPHER_KEY_SIZE], rest[CIPHER_KEY_SIZE:]
        return cls(name=name, cipher_key=cipher_key, mac_key=mac_key, encrypts_until=encrypts_until)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Return the key that ``pack`` made into bytes.

        Raises:
            ValueError: the size is not ``PACKED_KEY_SIZE``.
        """
        if len(packed) != PACKED_KEY_SIZE:
            raise ValueError(f"a packed ticket key has {PACKED_KEY_SIZE} bytes, not {len(packed)}")
        name, cipher_key, mac_key, encrypts_until = _LAYOUT.unpack(packed)
        return cls(name=name, cipher_key=cipher_key, mac_key=mac_key, encrypts_until=encrypts_until)

    def pack(self) -> bytes:
        """Return the C structure that Postfix's clients copy into memory: its native layout."""
        return _LAYOUT.pack(self.name, self.cipher_key, self.mac_key, self.encrypts_until)

    def leased(self, now: int, lease: int) -> "TicketKey":
        """Return the key as it is to be given out: with ``lease`` seconds left to encrypt at most.

        Whoever has it asks again then, by no name for the key to encrypt with, and by its name
        to decrypt: how long it decrypts in all is for the ring to say, and does not change.
        A lease of 0 or less is none.
        """
        if lease <= 0 or self.encrypts_until - now <= lease:
            return self
        return replace(self, encrypts_until=now + lease)

    def only_to_decrypt(self, now: int) -> "TicketKey":
        """Return the key as it is to be given out where another one encrypts: with its ``tout`` over.

        smtpd keeps two keys, and encrypts with the one whose ``tout`` is the later, while that lies
        ahead; it decrypts with each for a whole timeout after its ``tout``.
        """
        return self if self.encrypts_until <= now else replace(self, encrypts_until=now)

    def outlives(self, now: int, timeout: int) -> bool:
        """Tell whether the key would encrypt for longer than a session lives.

        It was made for a longer timeout, or before the clock was set back by more than half.
        """
        return self.encrypts_until - now > timeout

    def __repr__(self) -> str:
        return f"TicketKey(name={self.name.hex()}, encrypts_until={self.encrypts_until})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TicketKey):
            return NotImplemented
        return hmac.compare_digest(self.pack(), other.pack())

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketKeyRing:
    """The current and the previous key; a ring with another key is another ring.

    Every ``timeout`` is the whole lifetime of a session in seconds: a key encrypts for one half
    of it, and decrypts for another. A timeout of 0 or less means that there are no tickets.
    """

    current: TicketKey | None = None
    previous: TicketKey | None = None

    def find(self, name: bytes, *, now: int, timeout: int) -> TicketKey | None:
        """Return the key called ``name``, or None when there is none or its time is over."""
        if timeout <= 0:
            return None
        for key in (self.current, self.previous):
            if key is not None and hmac.compare_digest(key.name, name):
                is_over = key.encrypts_until + timeout // 2 <= now or key.outlives(now, timeout)
                return None if is_over else key
        return None

    def encryption_key(
        self, *, now: int, timeout: int, random_bytes: Callable[[int], bytes]
    ) -> tuple["TicketKeyRing", TicketKey | None]:
        """Return the ring to keep and the key for new tickets: a new one when it is time for it.

        Args:
            now: the time, in seconds since the epoch.
            timeout: the lifetime of a session in seconds.
            random_bytes: returns as many as it is asked for; is asked once, when a key is made,
                for ``KEY_MATERIAL_SIZE``.

        Raises:
            ValueError: ``random_bytes`` gave more or fewer.
        """
        if timeout <= 0:
            return self, None
        ring = self
        if self.current is not None and self.current.outlives(now, timeout):
            ring = TicketKeyRing(previous=self.current)
        if ring.current is not None and ring.current.encrypts_until > now:
            return ring, ring.current
        material = random_bytes(KEY_MATERIAL_SIZE)
        key = TicketKey.from_material(material, encrypts_until=now + timeout // 2 - 1)
        return ring.rotated(key), key

    def renewed(self, *, now: int, timeout: int, random_bytes: Callable[[int], bytes]) -> "TicketKeyRing":
        """Return the ring with a new key to encrypt with, made before it is time for it.

        The key that encrypted until now decrypts for as long as it would have; the one before it
        goes. The arguments are those of ``encryption_key``; with a timeout of 0 nothing changes.

        Raises:
            ValueError: ``random_bytes`` gave more or fewer.
        """
        if timeout <= 0:
            return self
        material = random_bytes(KEY_MATERIAL_SIZE)
        key = TicketKey.from_material(material, encrypts_until=now + timeout // 2 - 1)
        return TicketKeyRing(current=key, previous=self.current or self.previous)

    def revoked(self) -> "TicketKeyRing":
        """Return the ring without any key: no ticket made so far is decrypted by asking us again.

        The next request makes a new key. See ``revocation_delay`` for those who do not ask.
        """
        return TicketKeyRing()

    def pack(self) -> bytes:
        """Return the ring as bytes, secrets and all: for what is sealed, and for nothing else."""
        keys = (self.current, self.previous)
        return bytes(key is not None for key in keys) + b"".join(key.pack() for key in keys if key)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Return the ring that ``pack`` made into bytes.

        Raises:
            ValueError: the bytes are not those of a ring.
        """
        flags, rest = packed[:_RING_SLOTS], packed[_RING_SLOTS:]
        if len(flags) != _RING_SLOTS or max(flags) > 1 or len(rest) != sum(flags) * PACKED_KEY_SIZE:
            raise ValueError("these bytes are no ring of ticket keys")
        keys = [
            TicketKey.unpack(rest[at : at + PACKED_KEY_SIZE]) for at in range(0, len(rest), PACKED_KEY_SIZE)
        ]
        return cls(
            current=keys[0] if flags[0] else None,
            previous=keys[-1] if flags[1] else None,
        )

    def rotated(self, key: TicketKey) -> "TicketKeyRing":
        """Return the ring with ``key`` added and the previous one dropped.

        The key that encrypts longest is the current one, as in Postfix: below a timeout of 4
        seconds that need not be the new one.
        """
        if self.current is None:
            return TicketKeyRing(current=key, previous=self.previous)
        if self.current.encrypts_until < key.encrypts_until:
            return TicketKeyRing(current=key, previous=self.current)
        return TicketKeyRing(current=self.current, previous=key)
