import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.storage.test_sessions import HOUR, NOW, put
from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.storage.sessions import SessionStore, StoredSession


def test_a_closed_store_says_so(store: SessionStore, directory: Path) -> None:
    """Closing twice is harmless; any use afterwards is a StoreError that names the directory."""
    store.close()
    store.close()
    numbers = (store.count, store.size, store.log_backlog, store.move_log)
    for use in (lambda: store.find(b"id"), lambda: store.apply([put(b"id")]), *numbers):
        with pytest.raises(StoreError, match=f"{directory}: .*closed"):
            use()


def test_another_thread_cannot_use_the_store(store: SessionStore) -> None:
    """SQLite's connection belongs to the thread that opened it."""
    errors: list[StoreError] = []

    def use() -> None:
        try:
            store.find(b"id")
        except StoreError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_a_full_disk_is_an_error_and_reading_goes_on(store: SessionStore, directory: Path) -> None:
    """The change is not made, the message says what to do, and all works when there is space."""
    store.apply([put(b"old")])
    pages = store._database.connection.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001 - the limit is its own
    store._database.connection.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001 - likewise
    with pytest.raises(StoreError, match=f"{directory}: .*free some space"):
        store.apply([put(b"new", b"s" * 100_000)])
    assert store.lookup(b"old", NOW, HOUR) == b"session"
    assert store.lookup(b"new", NOW, HOUR) is None
    store._database.connection.execute("PRAGMA max_page_count = 1000000")  # noqa: SLF001 - likewise
    assert store.apply([put(b"new", b"s" * 100_000)]).done == [True]


def test_no_error_quotes_an_id_or_a_session(store: SessionStore, intruder: sqlite3.Connection) -> None:
    """Nor does the repr of a value show a session."""
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError) as caught:
        store.apply([put(b"the-id", b"the-secret")])
    shown = [str(caught.value), repr(caught.value), str(caught.value.__cause__)]
    assert not any("the-id" in text or "the-secret" in text for text in shown)
    stored = StoredSession(session=b"the-secret", stored_at=1, expires_at=2)
    assert "the-secret" not in repr(put(b"the-id", b"the-secret")) + repr(stored)


def test_nothing_is_saved_in_a_file_that_was_removed(tmp_path: Path) -> None:
    """SQLite would go on with the file that nobody finds again; the store says so instead."""
    directory = tmp_path / "store"
    with SessionStore(directory, checkpoints=True) as store:
        store.apply([put(b"id")])
        shutil.rmtree(directory)

        with pytest.raises(StoreError, match="cannot find the database"):
            store.apply([put(b"id")])
        with SessionStore(directory, checkpoints=True), pytest.raises(StoreError):
            store.remove_expired(NOW)
