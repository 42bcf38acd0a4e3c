"""One cache's sessions, sealed on their way to its store and opened on their way back."""

from collections.abc import Callable, Sequence

from tlsmgr.messages import CacheType
from tlsmgr.sealing.sealer import OtherKeyError, Sealer, TamperedError, session_places
from tlsmgr.storage.sessions import Change, Put, StoredSession


class SessionSealer:
    """Stands between a cache and its store.

    Args:
        cache_type: the cache that the sessions belong to, and that they are bound to.
        sealer: may be shared by all caches of the process.
        on_tampering: is called for each entry that was changed or moved on disk.

    Attributes:
        of_other_keys: How many entries were met that were sealed with a key that is gone.
    """

    def __init__(self, cache_type: CacheType, sealer: Sealer, on_tampering: Callable[[], None]) -> None:
        self._place = session_places(cache_type)
        self._sealer = sealer
        self._on_tampering = on_tampering
        self.of_other_keys = 0

    def sealed(self, changes: Sequence[Change]) -> list[Change]:
        """Return the changes for the store to make: with every session sealed."""
        place = self._place
        puts = [change for change in changes if isinstance(change, Put)]
        values = [(put.session, place(put.cache_id, put.stored_at, put.expires_at)) for put in puts]
        sealed = iter(self._sealer.seal_all(values))
        return [
            _with_session(change, next(sealed)) if isinstance(change, Put) else change for change in changes
        ]

    def opened(self, cache_id: bytes, found: StoredSession | None) -> StoredSession | None:
        """Return what the store has under ``cache_id``, with the session that was saved.

        An entry that was tampered with, or sealed with a key that is gone, is as good as none.
        """
        if found is None:
            return None
        place = self._place(cache_id, found.stored_at, found.expires_at)
        try:
            session = self._sealer.open(found.session, bound_to=place)
        except TamperedError:
            self._on_tampering()
            return None
        except OtherKeyError:
            self.of_other_keys += 1
            return None
        return StoredSession(session=session, stored_at=found.stored_at, expires_at=found.expires_at)

    def is_revoked(self, head: bytes) -> bool:
        """Tell whether a session was there before ``Sealer.begin_anew``, by its first ``HEAD_SIZE`` bytes."""
        return not self._sealer.wrote(head)


def _with_session(put: Put, session: bytes) -> Put:
    # No dataclasses.replace, which takes longer than the sealing.
    return Put(cache_id=put.cache_id, session=session, stored_at=put.stored_at, expires_at=put.expires_at)
