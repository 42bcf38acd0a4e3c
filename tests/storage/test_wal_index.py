from pathlib import Path

from tlsmgr.storage.sessions import Put, Remove, SessionStore


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
