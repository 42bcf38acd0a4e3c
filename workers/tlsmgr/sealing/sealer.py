"""Sealing: AES-256-GCM under a key of each writer's own, bound to what the sealed bytes are.

A sealed value is, in this order:

======= =====================================================================
bytes
======= =====================================================================
1       the version of this format: 1
8       the id of the sealing key
16      the writer's salt: its own key is derived from the sealing key and this
12      the nonce: a 32-bit counter, then 64 random bits
rest    the ciphertext, and GCM's tag of 16 bytes
======= =====================================================================

Why no nonce is ever used twice under one key is reasoned in docs/security.md.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tlsmgr.errors import Status, TlsmgrError
from tlsmgr.messages import CacheType
from tlsmgr.sealing.keys import KEY_ID_SIZE, SealingKey, SealingKeys

#: Values that are sealed under one writer's key, at most: the counter has 32 bits.
MESSAGES_MAX: Final = 1 << 32
#: Other writers' keys that are kept ready: one costs 10 to 20 us to derive.
_READERS_MAX: Final = 64

#: The first byte of what this module seals.
FORMAT_VERSION: Final = b"\x01"
_SALT_SIZE: Final = 16
_NONCE_RANDOM_SIZE: Final = 8
_TAG_SIZE: Final = 16
_COUNTER: Final = struct.Struct(">I")
_NONCE_SIZE: Final = _COUNTER.size + _NONCE_RANDOM_SIZE
_SALT_AT: Final = len(FORMAT_VERSION) + KEY_ID_SIZE
_NONCE_AT: Final = _SALT_AT + _SALT_SIZE
_CIPHERTEXT_AT: Final = _NONCE_AT + _NONCE_SIZE
_DERIVATION_LABEL: Final = b"tlsmgr sealing, a writer's key"

_LENGTH: Final = struct.Struct(">Q")
_TIMES: Final = struct.Struct(">dd")
_LENGTH_AND_TIMES: Final = struct.Struct(">Qdd")

#: Bytes at the beginning of a sealed value by which ``Sealer.wrote`` tells who sealed it.
HEAD_SIZE: Final = _NONCE_AT
#: Bytes that a sealed value has more than what was sealed.
OVERHEAD: Final = _CIPHERTEXT_AT + _TAG_SIZE


class UnsealError(TlsmgrError):
    """What was sealed cannot be opened, and is as good as not there."""

    status = Status.NOT_DONE


class OtherKeyError(UnsealError):
    """It was sealed with a key that is gone, as all keys are after a reboot. No alarm."""


class TamperedError(UnsealError):
    """It is not what was sealed, or not where: changed, moved or swapped on disk."""


def bound(*parts: bytes) -> bytes:
    """Return ``parts`` as associated data: no two different sequences of parts give the same."""
    return b"".join([_LENGTH.pack(len(part)) + part for part in parts])


def session_places(cache_type: CacheType) -> Callable[[bytes, float, float], bytes]:
    """Return what tells, of a cache id and two times, what a session of that cache is bound to.

    The times at which it was stored and expires, so that who can write to the disk cannot make
    an entry live longer. The result is that of ``bound``, at half of its cost.
    """
    cache = bound(b"session", cache_type.value.encode())
    length, length_and_times = _LENGTH.pack, partial(_LENGTH_AND_TIMES.pack, _TIMES.size)

    def place(cache_id: bytes, stored_at: float, expires_at: float) -> bytes:
        return cache + length(len(cache_id)) + cache_id + length_and_times(stored_at, expires_at)

    return place


class Sealer:
    """Seals with the current one of some keys, and opens with all of them.

    One of these is one writer, with a key of its own. Not for several threads at once, and
    not for both sides of a fork.

    Args:
        keys: at least one.
        random_bytes: returns as many as it is asked for. Let it be the kernel's generator, which
            notices that a virtual machine was copied; bytes fetched ahead would be copied with it.
        messages_max: values to seal before the writer takes another key.

    Raises:
        ValueError: there is no key.
    """

    def __init__(
        self,
        keys: SealingKeys,
        random_bytes: Callable[[int], bytes],
        *,
        messages_max: int = MESSAGES_MAX,
    ) -> None:
        self._random_bytes = random_bytes
        self._messages_max = messages_max
        self._readers: OrderedDict[bytes, AESGCM] = OrderedDict()
        self._own_heads: set[bytes] = set()
        self._opens_others = True
        self.use(keys)

    def __repr__(self) -> str:
        return f"<Sealer with {len(self._keys)} keys, {self._counter} values sealed>"

    def use(self, keys: SealingKeys) -> None:
        """Seal with the current one of ``keys`` from now on, and open with these alone.

        Raises:
            ValueError: there is none.
        """
        if keys.current is None:
            raise ValueError("a sealer needs a key")
        self._keys = {key.id: key for key in keys.keys}
        self._current = keys.current
        self._readers.clear()
        self._begin()

    def begin_anew(self) -> None:
        """Open nothing any more that was sealed before this call, by whichever key or process."""
        self._opens_others = False
        self._own_heads.clear()
        self._begin()

    def wrote(self, sealed: bytes) -> bool:
        """Tell whether this writer sealed it, since it was made or last began anew; the head is enough."""
        return sealed[:_NONCE_AT] in self._own_heads

    def seal(self, plaintext: bytes, *, bound_to: bytes) -> bytes:
        """Return ``plaintext`` sealed; it opens with the same ``bound_to`` only.

        Args:
            plaintext: any bytes, also none.
            bound_to: what the value is and where it belongs, unambiguously: see ``bound``.
        """
        return self.seal_all([(plaintext, bound_to)])[0]

    def seal_all(self, values: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Return values sealed, each as ``seal`` does it; all together ask the kernel once.

        All values are known before it is asked: a copy of this process that is made in between has the
        same to seal, so that what the nonces keep apart are different values still.

        Args:
            values: of each the plaintext, and what it is bound to.
        """
        randoms = self._random_bytes(_NONCE_RANDOM_SIZE * len(values))
        return [
            self._sealed(plaintext, place, randoms[start : start + _NONCE_RANDOM_SIZE])
            for start, (plaintext, place) in zip(
                range(0, len(randoms), _NONCE_RANDOM_SIZE), values, strict=True
            )
        ]

    def _sealed(self, plaintext: bytes, bound_to: bytes, random: bytes) -> bytes:
        if self._counter >= self._messages_max:
            self._begin()
        nonce = _COUNTER.pack(self._counter) + random
        # Before it is used: whatever fails now, this nonce does not come again.
        self._counter += 1
        return self._head + nonce + self._writer.encrypt(nonce, plaintext, bound_to)

    def open(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            OtherKeyError: its key is not among ours, or it was sealed before ``begin_anew``.
            TamperedError: it is not what was sealed with this ``bound_to``.
        """
        if len(sealed) < OVERHEAD or sealed[:1] != FORMAT_VERSION:
            raise TamperedError("sealed bytes were cut, or are of a form that is not known")
        head = sealed[:_NONCE_AT]
        reader = self._writer if head == self._head else self._reader(head)
        try:
            plaintext = reader.decrypt(sealed[_NONCE_AT:_CIPHERTEXT_AT], sealed[_CIPHERTEXT_AT:], bound_to)
        except InvalidTag:
            raise TamperedError("sealed bytes were changed, or moved from where they belong") from None
        if reader is not self._writer:
            self._keep(head, reader)
        return plaintext

    def _begin(self) -> None:
        """Become another writer: with a salt, and so a key, that nobody had before."""
        salt = self._random_bytes(_SALT_SIZE)
        self._head = FORMAT_VERSION + self._current.id + salt
        self._own_heads.add(self._head)
        self._writer = _derived(self._current, salt)
        self._counter = 0

    def _reader(self, head: bytes) -> AESGCM:
        if not self._opens_others and head not in self._own_heads:
            raise OtherKeyError("what was sealed before has been revoked")
        reader = self._readers.get(head)
        if reader is not None:
            return reader
        key = self._keys.get(head[len(FORMAT_VERSION) : _SALT_AT])
        if key is None:
            raise OtherKeyError("the key that sealed this is gone")
        return _derived(key, head[_SALT_AT:])

    def _keep(self, head: bytes, reader: AESGCM) -> None:
        # Only now that something opened with it: forged salts must not push good ones out.
        self._readers[head] = reader
        self._readers.move_to_end(head)
        if len(self._readers) > _READERS_MAX:
            self._readers.popitem(last=False)


def _derived(key: SealingKey, salt: bytes) -> AESGCM:
    """Return the cipher of the writer that has this salt (HKDF, RFC 5869)."""
    return AESGCM(HKDF(algorithm=SHA512(), length=32, salt=salt, info=_DERIVATION_LABEL).derive(key.secret))
