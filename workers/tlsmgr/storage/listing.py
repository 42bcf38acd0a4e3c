"""The entries of a store, page after page, without what is in them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

#: Rows that one page has, at most: 0.3 ms, however many the store has.
PAGE_SIZE = 100
# Ids may have tens of kilobytes; an answer may not.
_ID_BYTES_A_PAGE = 2**18

_PAGE = """
    SELECT rowid, key, store_time, expire_time, length(value) FROM Cache
    WHERE rowid > ? AND raw = 1 AND typeof(key) = 'blob' AND typeof(value) = 'blob'
        AND typeof(store_time) = 'real' AND typeof(expire_time) = 'real'
    ORDER BY rowid LIMIT ?
"""


class ListedEntry(NamedTuple):
    """An entry, expired or not: its number in the store, its id, two times, and the bytes stored."""

    number: int
    cache_id: bytes
    stored_at: float
    expires_at: float
    size: int


def read_page(
    execute: Callable[[str, tuple[int, int]], sqlite3.Cursor], after: int, at_most: int
) -> list[ListedEntry]:
    """Return up to ``at_most`` entries behind the one whose number is ``after``; none at the end.

    An entry that is saved again keeps its number, so that going through all pages gives every
    entry that was there all the time, once.
    """
    page: list[ListedEntry] = []
    id_bytes = 0
    with closing(execute(_PAGE, (after, at_most))) as rows:
        for row in rows:
            entry = _entry(row)
            page.append(entry)
            id_bytes += len(entry.cache_id)
            if id_bytes > _ID_BYTES_A_PAGE:
                break
    return page


def _entry(row: tuple[Any, ...]) -> ListedEntry:
    return ListedEntry(*row)
