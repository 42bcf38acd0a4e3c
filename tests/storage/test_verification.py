import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.storage.test_wal_index import locks_on_index
from tlsmgr.errors import StoreBusyError
from tlsmgr.storage import verification
from tlsmgr.storage.directory import opened_directory
from tlsmgr.storage.limits import NO_LIMITS
from tlsmgr.storage.sessions import Put, SessionStore
from tlsmgr.storage.verification import SealedForm, defects
from tlsmgr.storage.wal_index import WalIndex

SEALED = SealedForm(prefix=b"s", size=1)
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def _fill(store: SessionStore) -> None:
    store.apply(
        [Put(cache_id=b"%d" % each, session=b"s", stored_at=1.0, expires_at=2.0) for each in range(500)]
    )


def test_a_store_that_is_whole_has_no_defects(store: SessionStore, directory: Path) -> None:
    """And the process that looks leaves the locks of who has it open alone."""
    _fill(store)
    before = locks_on_index(directory)
    assert list(defects(directory, NO_LIMITS, SEALED)) == []
    assert locks_on_index(directory) == before


def test_a_long_check_gives_way_when_the_log_has_grown_long(
    store: SessionStore, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache server could save nothing any more, and clients would make full handshakes for it."""
    monkeypatch.setattr(verification, "_LOG_PAGES", 1)
    with closing(sqlite3.connect(directory / "cache.db")) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM Cache").fetchall()
        with opened_directory(directory) as place:
            log = WalIndex(place)
        _fill(store)  # of which nothing can be moved
        giving_way = verification._giving_way(directory, connection, log)  # noqa: SLF001 - else a large store
        with pytest.raises(StoreBusyError, match="later"), giving_way:
            connection.execute(ENDLESS).fetchall()
        connection.close()
        log.close()
