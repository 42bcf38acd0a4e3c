import os
import struct
import sys
from pathlib import Path

import pytest

from tlsmgr.storage import wal_index
from tlsmgr.storage.sessions import Put, Remove, SessionStore
from tlsmgr.storage.wal_index import WalIndex


def _put(cache_id: bytes) -> Put:
    return Put(cache_id=cache_id, session=b"session", stored_at=1.0, expires_at=2.0)


def test_own_changes_leave_the_epoch_as_it_is(tmp_path: Path) -> None:
    """Through hundreds of commits, so that the log is moved into the database and begun anew."""
    with SessionStore(tmp_path / "store", checkpoints=True) as store:
        epoch = store.epoch()
        for number in range(600):
            store.apply([_put(b"%d" % number)])
            assert store.epoch() == epoch
        store.apply([Remove(cache_id=b"not there")])
        store.apply([Remove(cache_id=b"1")])
        store.remove_expired(3.0)
        assert store.epoch() == epoch


def test_each_change_of_another_connection_begins_an_epoch(tmp_path: Path) -> None:
    """Whether it saves, removes or sweeps; and reading begins none."""
    with (
        SessionStore(tmp_path / "store", checkpoints=True) as store,
        SessionStore(tmp_path / "store", checkpoints=False) as other,
    ):
        epochs = [store.epoch()]
        other.apply([_put(b"a"), _put(b"b")])
        epochs.append(store.epoch())
        other.apply([Remove(cache_id=b"a")])
        epochs.append(store.epoch())
        other.remove_expired(3.0)
        epochs.append(store.epoch())
        assert len(set(epochs)) == 4
        other.find(b"a")
        other.count()
        assert store.epoch() == epochs[-1]


def test_a_change_before_our_own_begins_an_epoch(tmp_path: Path) -> None:
    """Our own commit hides nobody else's."""
    with (
        SessionStore(tmp_path / "store", checkpoints=True) as store,
        SessionStore(tmp_path / "store", checkpoints=False) as other,
    ):
        epoch = store.epoch()
        other.apply([_put(b"a")])
        store.apply([_put(b"b")])
        assert store.epoch() != epoch


def test_no_two_stores_have_an_epoch_in_common(tmp_path: Path) -> None:
    """What was remembered of one is so never taken for another's."""
    with SessionStore(tmp_path / "a", checkpoints=True) as first:
        epoch = first.epoch()
    with SessionStore(tmp_path / "b", checkpoints=True) as second:
        assert second.epoch() != epoch


def locks_on_index(directory: Path) -> int:
    """Return how many locks this process has on the store's index."""
    index = f":{(directory / 'cache.db-shm').stat().st_ino} "
    held = Path("/proc/locks").read_text().splitlines()
    return sum(index in line and f" {os.getpid()} " in line for line in held)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's locks")
@pytest.mark.parametrize("first", [0, 1])
def test_a_store_that_is_closed_leaves_the_locks_of_another_one_alone(tmp_path: Path, first: int) -> None:
    """One cache takes a directory over from another: SQLite tells by its lock that it is in use."""
    stores = [SessionStore(tmp_path / "store", checkpoints=True) for _ in range(2)]
    before = locks_on_index(tmp_path / "store")
    stores.pop(first).close(durably=False)
    (left,) = stores
    assert locks_on_index(tmp_path / "store") == before > 0
    epoch = left.epoch()
    left.apply([_put(b"a")])
    with SessionStore(tmp_path / "store", checkpoints=False) as other:
        other.apply([_put(b"b")])
        assert left.epoch() != epoch
    left.close(durably=False)
    with SessionStore(tmp_path / "store", checkpoints=True) as again:
        assert again.count() == 2


class _BegunAnew:
    """Reads a number of the index; right after that, the log is begun anew with one page."""

    def __init__(self, layout: struct.Struct, index: Path) -> None:
        self._layout = layout
        self._index = index

    def unpack_from(self, where: bytes) -> tuple[int, ...]:
        number = self._layout.unpack_from(where)
        _write_index(self._index, pages=1, moved=0)
        return number


def _write_index(index: Path, *, pages: int, moved: int) -> None:
    with index.open("r+b") as file:
        file.write(struct.pack("=16xI76xI36x", pages, moved))


def test_a_log_that_is_begun_anew_meanwhile_is_none_to_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two numbers are read one after the other: pages of the former log do not count for the new one."""
    index = tmp_path / "cache.db-shm"
    index.write_bytes(bytes(136))
    place = os.open(tmp_path, os.O_RDONLY)
    log = WalIndex(place)
    try:
        _write_index(index, pages=100, moved=60)
        assert log.backlog() == 40
        _write_index(index, pages=100, moved=100)
        for name in ("_PAGES", "_MOVED"):
            monkeypatch.setattr(wal_index, name, _BegunAnew(getattr(wal_index, name), index))
        assert log.backlog() == 0
    finally:
        log.close()
        os.close(place)
