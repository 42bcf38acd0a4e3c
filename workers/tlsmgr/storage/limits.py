"""What a store may hold at most, and what goes when it holds more: the entries nearest to expiry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tlsmgr.storage.database import Database
from tlsmgr.storage.entries import Change, Put

# Index order, whatever the expiry time; a planted row without one goes first.
_NEAREST = """
    SELECT rowid, key, expire_time, length(value) FROM Cache INDEXED BY Cache_expire_time
    ORDER BY expire_time LIMIT ?
"""
_DELETE = "DELETE FROM Cache WHERE rowid = ?"
_KNOWN = "SELECT key FROM Cache WHERE raw = 1 AND key IN ({})"
_COUNT = "SELECT value FROM Settings WHERE key = 'count'"  # kept by diskcache's triggers
_PAGES, _FREE_PAGES = "PRAGMA page_count", "PRAGMA freelist_count"
# A store may be over a limit by this part of it, for as long as it takes to get below again.
_LEEWAY = 0.01
# Rows that lie together are cheaper removed together: 13 us each, a single one 50.
_ROWS_TOGETHER = 16
# Where rows that expire together lie far apart, many must go to free one page. A transaction
# stops here all the same, after some 3 ms; what is too much then is left to ``reduce``. In a store
# whose pages are not all in SQLite's cache a row costs more.
_ROWS_AT_MOST, _ROWS_AT_MOST_IF_LARGE, _LARGE = 256, 64, 2**25
# What is removed is overwritten, too, which takes 3 us for each KiB. Where that can wait, so much
# is removed at a time, but always one row.
_BYTES_TOGETHER = 2**16
_PLACES_KEPT = 256

# Pages are filled by half at least, in each of three trees; and what a row has beside its content.
_PAGES_FOR_CONTENT, _ROW_OVERHEAD = 3, 150
# Near a limit it is looked each time whether room is short, and so often whether it is not any more.
_TRANSACTIONS_PER_LOOK = 64
_NO_END = 1 << 62

#: The number of a row that went, and its columns key and expire_time, which somebody else may have
#: filled with anything.
Row: TypeAlias = tuple[int, object, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """What a store may hold.

    Attributes:
        entries: How many entries, expired ones included; 0 for any number.
        size: How many bytes of the database may be in use, whole pages and indexes included,
            its log not; 0 for any number. An empty store takes some 50,000.
    """

    entries: int = 0
    size: int = 0


NO_LIMITS = StoreLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a transaction did.

    Attributes:
        done: For each change whether it was done: True for a Put, and for a Remove whether
            there was an entry.
        evicted: The ids of the entries that went for want of room; one that was just saved
            may be among them.
        expired: How many of those nobody misses, since their time was over.
        epoch: The epoch that the changes belong to: what was saved is so while the store's is this one.
    """

    done: Sequence[bool] = ()
    evicted: Sequence[bytes] = field(default_factory=list)
    expired: int = 0
    epoch: int = field(default=-1, compare=False)


class Room:
    """Keeps one database within limits, inside the transactions of its owner.

    The size is that of the pages in use: those that a removal freed do not count, so removing
    always helps. (diskcache's own limit counts them, and so removes all there is.)

    Args:
        database: the database, open.
    """

    def __init__(self, database: Database) -> None:
        self._execute = database.connection.execute
        self._execute_many = database.connection.executemany
        self._number = database.number
        self._page_size = self._number("PRAGMA page_size")
        self._limits = NO_LIMITS
        # Of what was removed; some may be taken again, as after a transaction that failed.
        self._places: list[int] = []
        self._spare_entries = self._spare_bytes = self._until_look = 0

    def has_plenty(self, limits: StoreLimits, changes: Sequence[Change]) -> bool:
        """Tell whether these changes surely fit, mostly without asking the database.

        That costs a fifth of a transaction, and most stores are far from their limits.
        """
        self._until_look -= 1
        if limits is not self._limits or (self._is_short() and self._until_look <= 0):
            self._look_ahead(limits)
        self._spare_entries -= len(changes)
        self._spare_bytes -= _PAGES_FOR_CONTENT * sum(map(_content, changes))
        return not self._is_short()

    def _is_short(self) -> bool:
        return self._spare_entries < 0 or self._spare_bytes < 0

    def _look_ahead(self, limits: StoreLimits) -> None:
        self._limits, self._until_look = limits, _TRANSACTIONS_PER_LOOK
        self._spare_entries = limits.entries - self._number(_COUNT) if limits.entries else _NO_END
        self._spare_bytes = limits.size - self.measure(limits) if limits.size else _NO_END

    def make_places(
        self, limits: StoreLimits, changes: Sequence[Change], size_before: int
    ) -> tuple[list[Row], Mapping[bytes, int]]:
        """Remove as many rows as these changes will add too many, and tell which places are free for whom.

        A new row that has the number of one that went comes to lie where that was, so that pages that
        are full stay full. Rows that expire together lie far apart, and a page is free only when
        all that is on it has gone.
        """
        puts = [change.cache_id for change in changes if isinstance(change, Put)]
        if len(puts) != len(changes):
            return [], {}  # what the others remove may be enough
        new = set(puts) - self._known(puts)
        fits = not limits.size or size_before + sum(map(_content, changes)) <= limits.size
        rows = self._remove(
            self._too_many(limits, len(new), fits=fits), self._cannot_wait(limits, len(new), len(new))
        )
        rows = [row for row in rows if row[1] not in puts]  # which does not go, but is saved again
        return rows, {cache_id: self._places.pop() for cache_id in list(new)[: len(self._places)]}

    def _too_many(self, limits: StoreLimits, added: int, *, fits: bool) -> int:
        excess = self._number(_COUNT) + added - limits.entries if limits.entries else 0
        if excess < _patience(limits):
            excess = 0
        missing = 0 if fits else added - len(self._places)
        if missing > 0:
            excess = max(excess, missing, _ROWS_TOGETHER)
        return min(excess, _at_most(added))

    def _cannot_wait(self, limits: StoreLimits, coming: int, added: int) -> int:
        """Return how many rows must go however large they are, before ``coming`` more come.

        Those that are too many beyond half of the leeway; but in a store that was far over its
        limit, only as many as the transaction has ``added``, or is to.
        """
        if not limits.entries:
            return 0
        excess = self._number(_COUNT) + coming - limits.entries
        return min(excess - int(limits.entries * _LEEWAY / 2), added)

    def _known(self, cache_ids: Sequence[bytes]) -> set[object]:
        query = _KNOWN.format(",".join("?" * len(cache_ids)))
        return {cache_id for (cache_id,) in self._execute(query, cache_ids).fetchall()}

    def measure(self, limits: StoreLimits) -> int:
        """Return the bytes in use, to be handed to ``restore``; 0 where no limit asks for them."""
        if not limits.size:
            return 0
        return (self._number(_PAGES) - self._number(_FREE_PAGES)) * self._page_size

    def restore(self, limits: StoreLimits, added: int, gone: int, size_before: int) -> list[Row]:
        """Remove as much as the ``added`` changes made necessary, and a little more if need be.

        Afterwards the store is within its limits and 1%, or no larger than it was before
        those changes, unless very many rows would have to go for that. They are the rows
        nearest to expiry.

        Args:
            limits: what the store may hold.
            added: how many entries the transaction has saved so far.
            gone: how many went for them.
            size_before: what ``measure`` said when the transaction began.
        """
        size, at_most = self.measure(limits), _at_most(added)
        excess = self._excess(limits, size)
        count = min(excess, at_most) if excess >= _patience(limits) else 0
        rows = self._remove(count, self._cannot_wait(limits, 0, added - gone)) if count else []
        # Large sessions in the place of small ones take more rows than they are.
        bearable = max(size_before, int(limits.size * (1 + _LEEWAY)))
        rows_at_most = _ROWS_AT_MOST if size < _LARGE else _ROWS_AT_MOST_IF_LARGE
        while size > bearable and len(rows) < rows_at_most and (size := self.measure(limits)) > bearable:
            more = self._remove(min(self._excess(limits, size), at_most))
            if not more:
                break
            rows += more
        return rows

    def is_over(self, limits: StoreLimits) -> bool:
        """Tell whether the store holds more than it may."""
        return self._excess(limits, self.measure(limits)) > 0

    def reduce(self, limits: StoreLimits, at_most: int) -> list[Row]:
        """Remove up to ``at_most`` rows if the store is over a limit."""
        excess = self._excess(limits, self.measure(limits))
        return self._remove(min(excess, at_most))

    def _excess(self, limits: StoreLimits, size: int) -> int:
        """Return about how many rows there are too many, of those that take ``size`` bytes."""
        over = size - limits.size if limits.size else 0
        if over <= int(limits.size * _LEEWAY / 2):
            over = 0  # a page more or less: indexes grow and shrink, and a page is freed late
        if not limits.entries and over <= 0:
            return 0
        count = self._number(_COUNT)
        excess = count - limits.entries if limits.entries else 0
        # A page is free only when all its rows have gone; so never fewer than one.
        return max(excess, 1, over * count // size) if over > 0 else excess

    def _remove(self, count: int, at_least: int = 1) -> list[Row]:
        """Remove up to ``count`` rows; fewer large ones, but ``at_least`` so many, and one."""
        if count <= 0:
            return []
        rows: list[Row] = []
        size = 0
        for number, key, expires_at, length in self._execute(_NEAREST, (count,)).fetchall():
            size += length or 0
            if size > _BYTES_TOGETHER and rows and len(rows) >= at_least:
                break
            rows.append((number, key, expires_at))
        self._execute_many(_DELETE, [(number,) for number, _, _ in rows])
        self._places += [number for number, _, _ in rows]
        del self._places[:-_PLACES_KEPT]
        return rows


def _content(change: Change) -> int:
    if not isinstance(change, Put):
        return 0
    return len(change.session) + 2 * len(change.cache_id) + _ROW_OVERHEAD


def _at_most(added: int) -> int:
    """Return how many rows may go at a time for those that were added: a few more."""
    return max(added + added // 8 + 1, _ROWS_TOGETHER)


def _patience(limits: StoreLimits) -> int:
    """Return how many rows too many are left until they are worth a removal."""
    few = int(limits.entries * _LEEWAY / 2) if limits.entries else _ROWS_TOGETHER
    return max(1, min(few, _ROWS_TOGETHER))
