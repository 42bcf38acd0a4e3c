"""What a session is in a store that hosts share: a name that tells nothing, and a sealed value."""

import struct
from typing import Final

from tlsmgr.messages import CacheType
from tlsmgr.sealing.shared_sealer import SharedSealer
from tlsmgr.service.revocation_mark import RevocationMark
from tlsmgr.shared_store.store import SharedPut, SharedRemove
from tlsmgr.storage.sessions import Put

_MILLISECONDS: Final = 1000
_PLACE: Final = b"shared session"
_TIMES: Final = struct.Struct(">dd")


class SharedEntries:
    """Makes changes to a store of changes to one cache, and sessions of what is found there.

    A value is bound to the cache, the id and the generation, and has its times in it: moved or
    replayed under another id it does not open, and replayed under its own it expires when it would have.

    Args:
        cache_type: the cache.
        sealer: seals for all hosts of the farm.
        mark: has the generation.
    """

    def __init__(self, cache_type: CacheType, sealer: SharedSealer, mark: RevocationMark) -> None:
        self._cache = cache_type.value.encode()
        self._sealer = sealer
        self._mark = mark

    def name(self, cache_id: bytes) -> bytes:
        """Return the key in the store of a cache id."""
        return self._sealer.name(*self._place(cache_id))

    def removal(self, cache_id: bytes) -> SharedRemove:
        """Return the change that removes a session."""
        return SharedRemove(key=self.name(cache_id))

    def sealed(self, put: Put, now: float) -> SharedPut | None:
        """Return the change that saves a session for what is left of its life; None if nothing is."""
        left = int((put.expires_at - now) * _MILLISECONDS)
        if left <= 0:
            return None
        plaintext = _TIMES.pack(put.stored_at, put.expires_at) + put.session
        value = self._sealer.seal(plaintext, *self._place(put.cache_id))
        return SharedPut(key=self.name(put.cache_id), value=value, milliseconds=left)

    def opened(self, cache_id: bytes, sealed: bytes) -> Put:
        """Return the session that was saved, as it was.

        Raises:
            TamperedError: no host of this farm saved it under this id, in the present generation.
        """
        plaintext = self._sealer.open(sealed, *self._place(cache_id))
        stored_at, expires_at = _TIMES.unpack_from(plaintext)
        session = plaintext[_TIMES.size :]
        return Put(cache_id=cache_id, session=session, stored_at=stored_at, expires_at=expires_at)

    def _place(self, cache_id: bytes) -> tuple[bytes, ...]:
        return _PLACE, self._mark.place, self._cache, cache_id
