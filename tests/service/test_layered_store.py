import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.service.other_process import OtherProcess
from tests.service.stores import TroubledStore, locked, session_sealer
from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.service.layered_store import LayeredStore
from tlsmgr.service.session_memory import SessionMemory
from tlsmgr.storage import database
from tlsmgr.storage.database import Database
from tlsmgr.storage.limits import StoreLimits
from tlsmgr.storage.sessions import Put, Remove, SessionStore

NOW = 1000.0
TIMEOUT = 3600


def _put(cache_id: bytes = b"id", *, expires_at: float = 4600.0) -> Put:
    return Put(cache_id=cache_id, session=b"session", stored_at=NOW, expires_at=expires_at)


@pytest.fixture
def evictions() -> list[int]:
    """Hold the numbers of evictions that were told."""
    return []


@pytest.fixture
def layers(tmp_path: Path, evictions: list[int]) -> Iterator[LayeredStore]:
    """Give a store with memory before it."""
    layered = LayeredStore(SessionMemory(1 << 20).shelf(), evictions.append, session_sealer())
    layered.attach(TroubledStore(tmp_path / "store"))
    yield layered
    layered.detach(durably=False)


def test_what_is_in_memory_is_not_read_again(layers: LayeredStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what was saved, nor what was read once."""
    layers.apply([_put()])
    monkeypatch.setattr(SessionStore, "find", None)
    assert layers.lookup(b"id", NOW, TIMEOUT) == b"session"


def test_what_went_for_want_of_room_is_not_found(layers: LayeredStore, evictions: list[int]) -> None:
    """It is forgotten by memory in the same moment, and told."""
    layers.limits = StoreLimits(entries=2)
    layers.apply([_put(bytes([number]), expires_at=4600.0 + number) for number in range(3)])
    assert layers.lookup(b"\0", NOW, TIMEOUT) is None
    assert layers.lookup(b"\2", NOW, TIMEOUT) == b"session"
    assert evictions == [1]


def test_a_lowered_limit_is_worked_off(layers: LayeredStore, evictions: list[int]) -> None:
    """In steps, each of which says whether there is more to do."""
    layers.apply([_put(b"%d" % number, expires_at=4600.0 + number) for number in range(60)])
    layers.limits = StoreLimits(entries=5)
    steps = [layers.keep_up(NOW) for _ in range(4)]
    assert steps == [True, True, True, False]
    assert sum(evictions) == 55
    assert [layers.lookup(each, NOW, TIMEOUT) for each in (b"54", b"55")] == [None, b"session"]


def test_a_failed_change_is_for_the_store_to_tell(tmp_path: Path, layers: LayeredStore) -> None:
    """What is in memory might be what was to be replaced."""
    layers.apply([_put()])
    store = layers.store
    assert isinstance(store, TroubledStore)
    store.trouble = StoreError("disk full")
    with pytest.raises(StoreError, match="disk full"):
        layers.apply([_put()])
    with closing(sqlite3.connect(tmp_path / "store" / "cache.db")) as other, other:
        other.execute("DELETE FROM Cache")
    assert layers.lookup(b"id", NOW, TIMEOUT) is None


def test_a_defect_in_a_change_is_for_the_store_to_tell_too(layers: LayeredStore) -> None:
    """Whatever it is, and however far the change came before it."""
    layers.apply([_put()])
    store = layers.store
    assert isinstance(store, TroubledStore)

    def fail() -> None:
        raise RuntimeError("a defect")

    store.after_commit = fail
    with pytest.raises(RuntimeError):
        layers.apply([Remove(cache_id=b"id")])
    assert layers.lookup(b"id", NOW, TIMEOUT) is None


def test_what_went_is_forgotten_and_told_when_the_log_cannot_be_moved(
    layers: LayeredStore, evictions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is moved after the commit, which stands."""
    layers.limits = StoreLimits(entries=2)
    layers.apply([_put(bytes([number]), expires_at=4600.0 + number) for number in range(2)])

    def fail(_: Database) -> bool:
        raise StoreError("input/output error")

    monkeypatch.setattr(database, "_LOG_PAGES_LEFT", 0)
    monkeypatch.setattr(Database, "move_log", fail)
    assert layers.apply([_put(b"\2", expires_at=4700.0)]) == [True]
    assert layers.lookup(b"\0", NOW, TIMEOUT) is None
    assert evictions == [1]


def test_a_change_between_our_commit_and_the_next_look_is_seen(tmp_path: Path, layers: LayeredStore) -> None:
    """What another process removed in that moment is not remembered as there."""
    store = layers.store
    assert isinstance(store, TroubledStore)
    with OtherProcess(tmp_path / "store") as other:
        store.after_commit = lambda: other.remove(b"id")
        layers.apply([_put()])
        assert layers.lookup(b"id", NOW, TIMEOUT) is None


def test_a_busy_store_changes_nothing(tmp_path: Path, layers: LayeredStore) -> None:
    """The former session is found meanwhile."""
    layers.apply([_put()])
    with locked(tmp_path / "store"), pytest.raises(StoreBusyError):
        layers.apply([_put()])
    assert layers.lookup(b"id", NOW, TIMEOUT) == b"session"


def test_without_a_store_memory_answers(tmp_path: Path, layers: LayeredStore) -> None:
    """What was known last is found until its time is over; nothing can be saved."""
    layers.apply([_put()])
    layers.detach(durably=False)
    shutil.rmtree(tmp_path / "store")
    assert layers.lookup(b"id", NOW, TIMEOUT) == b"session"
    assert layers.lookup(b"id", NOW + TIMEOUT, TIMEOUT) is None
    assert layers.lookup(b"other", NOW, TIMEOUT) is None
    with pytest.raises(StoreError, match="not open"):
        layers.apply([_put()])
    with pytest.raises(StoreError, match="not open"):
        layers.keep_up(NOW)


def test_another_store_has_other_sessions(tmp_path: Path, layers: LayeredStore) -> None:
    """What was remembered of the former one is not told."""
    layers.apply([_put()])
    layers.detach(durably=False)
    shutil.rmtree(tmp_path / "store")
    layers.attach(TroubledStore(tmp_path / "store"))
    assert layers.lookup(b"id", NOW, TIMEOUT) is None
