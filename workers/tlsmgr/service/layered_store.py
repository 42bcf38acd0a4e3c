"""One cache's sessions: in memory those used last, on disk all of them."""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.sealing.sealer import HEAD_SIZE
from tlsmgr.sealing.session_sealer import SessionSealer
from tlsmgr.service.cache_figures import CacheFigures
from tlsmgr.service.session_memory import Shelf
from tlsmgr.storage.limits import NO_LIMITS, Applied, StoreLimits
from tlsmgr.storage.listing import ListedEntry
from tlsmgr.storage.sessions import Change, Put, Remove, SessionStore, StoredSession, is_fresh

# 50 us each: so many hold the event loop for less than 2 ms.
_EVICTIONS_PER_STEP = 25


class LayeredStore:
    """A store with memory before it, which never tells what the store would not.

    Several processes may change the store. What is remembered counts as long as the store's
    epoch is the one in which it was read or saved. While no store is attached, memory is all
    there is: what was known last is found, and nothing can be saved.

    Attributes:
        limits: What the store may hold; may be changed at any time.
        figures: What is counted here, and by whoever uses this object.

    Args:
        shelf: The memory.
        sealer: Seals what goes to the store; memory has it in the clear.
        on_eviction: Is told how many entries went before their time, for want of room.
    """

    def __init__(self, shelf: Shelf, on_eviction: Callable[[int], None], sealer: SessionSealer) -> None:
        self._sealer = sealer
        self.figures = CacheFigures()
        self.limits: StoreLimits = NO_LIMITS
        self._shelf = shelf
        self._remembered = shelf.get
        self._on_eviction = on_eviction
        self._store: SessionStore | None = None
        self._epoch: Callable[[], int] = _no_epoch

    @property
    def store(self) -> SessionStore | None:
        """The sessions on disk; None while they cannot be reached."""
        return self._store

    def attach(self, store: SessionStore) -> None:
        """Use ``store``, which this object closes in the end."""
        self._store = store
        self._epoch = store.epoch

    def detach(self, *, durably: bool) -> None:
        """Close the store, if there is one; ``durably`` as ``SessionStore.close`` has it.

        Raises:
            StoreError: It did not close well; it is not used any more.
        """
        store, self._store = self._store, None
        if store is not None:
            last = store.epoch()
            self._epoch = lambda: last
            store.close(durably=durably)

    def recall(self, cache_id: bytes, now: float, timeout: int) -> bytes | None:
        """Return the session that ``lookup`` would find, if that can be told from memory alone.

        None says nothing: ``lookup`` is to follow, and counts what comes of it.
        """
        entry = self._remembered(cache_id)
        if entry is None or entry[3] != self._epoch() or not is_fresh(entry[1], entry[2], now, timeout):
            return None
        stored_at = entry[1]
        figures = self.figures
        figures.hits += 1
        ages = figures.hit_age  # its observe(), without the call
        age = now - stored_at
        ages.counts[bisect_left(ages.bounds, age)] += 1
        ages.total += age
        return entry[0]

    def lookup(self, cache_id: bytes, now: float, timeout: int) -> bytes | None:
        """Return the session saved under ``cache_id``, or None; never an expired one.

        Raises:
            StoreError: It is not in memory, and the store cannot be read.
        """
        session = self.recall(cache_id, now, timeout)
        if session is not None:
            return session
        epoch = self._epoch()
        entry = self._remembered(cache_id)
        if entry is None or entry[3] != epoch:
            return self._read(cache_id, epoch, now, timeout)
        self.figures.expired += 1
        return None

    def apply(self, changes: Sequence[Change]) -> Sequence[bool]:
        """Make all changes in one transaction or none; return for each whether it was done.

        Raises:
            StoreBusyError: Another process has the store locked; nothing was changed.
            StoreError: The store cannot be used.
        """
        store = self._opened()
        try:
            applied = store.apply(self._sealer.sealed(changes), self.limits)
        except StoreBusyError:
            raise
        except Exception:
            # Whether they came to be on the disk is for the store to say.
            self._shelf.drop(change.cache_id for change in changes)
            raise
        self._remember(changes, applied.done, applied.epoch)
        self._forget_evicted(applied)
        return applied.done

    def entries(self, after: int) -> list[ListedEntry]:
        """Return a page of what the store has, as ``SessionStore.entries`` does.

        Raises:
            StoreError: The store cannot be used.
        """
        return self._opened().entries(after)

    def forget(self) -> None:
        """Have memory forget everything."""
        self._shelf.clear()

    def remove_revoked(self, after: int) -> int | None:
        """Remove, in a step of less than 2 ms, some of what was sealed before ``Sealer.begin_anew``.

        Args:
            after: What the step before returned; 0 for the first one.

        Returns:
            What to give to the next step; None when nothing is left.

        Raises:
            StoreBusyError: Another process has the store locked; the same step may succeed later.
            StoreError: The store cannot be used.
        """
        page = self._opened().page(after, _EVICTIONS_PER_STEP, HEAD_SIZE)
        self.apply([Remove(cache_id=cache_id) for _, cache_id, head in page if self._sealer.is_revoked(head)])
        return page[-1][0] if page else None

    def keep_up(self, now: float) -> bool:
        """Take a step, of less than 2 ms, of what keeps the store within its limits and small.

        Args:
            now: The time of day, for which to tell what goes before its time.

        Returns:
            Whether there is more to do.

        Raises:
            StoreError: The store cannot be used.
        """
        store = self._opened()
        applied = store.evict(self.limits, _EVICTIONS_PER_STEP, now)
        if applied.evicted:
            self._forget_evicted(applied)
            return True
        return store.release_space()

    def _opened(self) -> SessionStore:
        if self._store is None:
            raise StoreError("the session store is not open")
        return self._store

    def _remember(self, changes: Sequence[Change], done: Sequence[bool], epoch: int) -> None:
        for change, is_done in zip(changes, done, strict=True):
            if isinstance(change, Put):
                self.figures.stored += 1
                remembered = (change.session, change.stored_at, change.expires_at, epoch)
                self._shelf.put(change.cache_id, remembered)
            else:
                self.figures.removed += is_done
                self._shelf.drop((change.cache_id,))

    def _forget_evicted(self, applied: Applied) -> None:
        if applied.evicted:
            self._shelf.drop(applied.evicted)
            self._on_eviction(len(applied.evicted) - applied.expired)

    def _read(self, cache_id: bytes, epoch: int, now: float, timeout: int) -> bytes | None:
        found = self._find(cache_id)
        if found is None or not found.is_fresh(now=now, timeout=timeout):
            self.figures.expired += found is not None
            self._shelf.drop((cache_id,))
            return None
        self.figures.hits += 1
        self.figures.hit_age.observe(now - found.stored_at)
        self._shelf.put(cache_id, (found.session, found.stored_at, found.expires_at, epoch))
        return found.session

    def _find(self, cache_id: bytes) -> StoredSession | None:
        if self._store is None:
            self.figures.unavailable += 1
            return None
        sealed = self._store.find(cache_id)
        self.figures.absent += sealed is None
        found = self._sealer.opened(cache_id, sealed)  # which tells of one that was tampered with
        self.figures.other_key = self._sealer.of_other_keys
        return found


def _no_epoch() -> int:
    return -1
