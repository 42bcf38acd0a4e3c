"""Sessions in memory, in front of the stores: bounded in bytes, the least used going first."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

# What an entry takes beside its id and session: the headers of five objects, and its place in
# the dictionary. 290 bytes by tracemalloc on CPython 3.11; more where the dictionary has just grown.
_ENTRY_OVERHEAD = 400

#: The session, when it was stored, when it expires, and the store's epoch in which that was so.
#: A plain tuple, since the garbage collector need not look into those again and again.
Remembered: TypeAlias = tuple[bytes, float, float, int]


class SessionMemory:
    """The memory that all caches of a process share.

    Args:
        limit: Bytes that all entries together may take; 0 for no memory at all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._shelves: list[Shelf] = []
        self.used = 0

    def shelf(self) -> "Shelf":
        """Return a new, empty part of the memory, for one cache."""
        shelf = Shelf(self)
        self._shelves.append(shelf)
        return shelf

    def use_limit(self, limit: int) -> None:
        """Go on with another limit; a lower one takes effect as entries come."""
        self._limit = limit

    def release(self, shelf: "Shelf") -> None:
        """Forget a shelf and all that is on it."""
        if shelf in self._shelves:
            shelf.clear()
            self._shelves.remove(shelf)

    def take_up(self, size: int) -> None:
        """Account for ``size`` bytes more, and make room: the fullest shelf gives first."""
        self.used += size
        while self.used > self._limit:
            max(self._shelves, key=_bytes_used).drop_oldest()


class Shelf:
    """One cache's part: entries by cache id, the one that was used last at the end.

    Attributes:
        used: Bytes that its entries take.
    """

    __slots__ = ("_entries", "_memory", "used")

    def __init__(self, memory: SessionMemory) -> None:
        self._memory = memory
        self._entries: OrderedDict[bytes, Remembered] = OrderedDict()
        self.used = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, cache_id: bytes) -> Remembered | None:
        """Return what is remembered, whatever its time and epoch."""
        entry = self._entries.get(cache_id)
        if entry is not None:
            self._entries.move_to_end(cache_id)
        return entry

    def put(self, cache_id: bytes, entry: Remembered) -> None:
        """Remember what the store has."""
        self.drop((cache_id,))
        self._entries[cache_id] = entry
        self._account(_size(cache_id, entry[0]))

    def drop(self, cache_ids: Iterable[bytes]) -> None:
        """Forget entries that are there, and do nothing for others."""
        for cache_id in cache_ids:
            entry = self._entries.pop(cache_id, None)
            if entry is not None:
                self._account(-_size(cache_id, entry[0]))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._account(-self.used)

    def drop_oldest(self) -> None:
        """Forget the entry that was not used for the longest time."""
        cache_id, entry = self._entries.popitem(last=False)
        self._account(-_size(cache_id, entry[0]))

    def _account(self, size: int) -> None:
        self.used += size
        self._memory.take_up(size)


def _size(cache_id: bytes, session: bytes) -> int:
    return len(cache_id) + len(session) + _ENTRY_OVERHEAD


def _bytes_used(shelf: Shelf) -> int:
    return shelf.used
