import os
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.messages import CacheType
from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.sealing.session_sealer import SessionSealer
from tlsmgr.storage.sessions import Change, Put, Remove, SessionStore, StoredSession

KEYS = SealingKeys(keys=(SealingKey(bytes(range(32))),))
NOW = 1_700_000_000.5
#: Few ids, so that one of them is often saved twice, or saved and removed.
IDS = st.sampled_from([b"", b"one", b"two"]) | st.binary(max_size=20)
TIMES = st.floats(0, 2e9)
PUTS = st.builds(Put, cache_id=IDS, session=st.binary(max_size=100), stored_at=TIMES, expires_at=TIMES)
CHANGES = st.lists(PUTS | st.builds(Remove, cache_id=IDS), max_size=12)


class Disk:
    """What lies on a disk, for anybody to change."""

    def __init__(self) -> None:
        self.rows: dict[bytes, StoredSession] = {}


class Cache:
    """One process's way to a disk, and the alarms that it gave."""

    def __init__(self, disk: Disk, cache_type: CacheType = CacheType.SMTPD, keys: SealingKeys = KEYS) -> None:
        self._disk = disk
        self.alarms = 0
        self._sealer = SessionSealer(cache_type, Sealer(keys, os.urandom), self._alarm)

    def _alarm(self) -> None:
        self.alarms += 1

    def save(self, *changes: Change) -> None:
        """Write as a store does."""
        for change in self._sealer.sealed(changes):
            if isinstance(change, Put):
                self._disk.rows[change.cache_id] = StoredSession(
                    session=change.session, stored_at=change.stored_at, expires_at=change.expires_at
                )
            else:
                self._disk.rows.pop(change.cache_id, None)

    def find(self, cache_id: bytes) -> StoredSession | None:
        """Read as a store does."""
        return self._sealer.opened(cache_id, self._disk.rows.get(cache_id))


def put(cache_id: bytes, session: bytes = b"a session") -> Put:
    """Return a change that saves a session for an hour."""
    return Put(cache_id=cache_id, session=session, stored_at=NOW, expires_at=NOW + 3600)


@given(st.dictionaries(st.binary(max_size=20), st.binary(max_size=100), max_size=5))
def test_what_was_saved_is_found_by_every_process_that_has_the_key(sessions: dict[bytes, bytes]) -> None:
    """Byte for byte, with its times; and what was removed is gone."""
    disk = Disk()
    writer, reader = Cache(disk), Cache(disk)
    writer.save(*(put(*item) for item in sessions.items()))
    for cache_id, session in sessions.items():
        expected = StoredSession(session=session, stored_at=NOW, expires_at=NOW + 3600)
        assert reader.find(cache_id) == expected
        writer.save(Remove(cache_id=cache_id))
        assert reader.find(cache_id) is None
    assert reader.alarms == 0


@given(CHANGES)
def test_sealing_leaves_all_as_it_is_but_the_sessions(changes: list[Change]) -> None:
    """In any mixture a change keeps its kind and place, and a session opens under its own id and times."""
    alarms: list[None] = []
    sealer = SessionSealer(CacheType.SMTPD, Sealer(KEYS, os.urandom), lambda: alarms.append(None))

    def unsealed(change: Change) -> Change:
        if isinstance(change, Remove):
            return change
        found = StoredSession(
            session=change.session, stored_at=change.stored_at, expires_at=change.expires_at
        )
        opened = sealer.opened(change.cache_id, found)
        return replace(change, session=b"sealed for another" if opened is None else opened.session)

    sealed = sealer.sealed(changes)
    assert [unsealed(change) for change in sealed] == changes
    assert not alarms
    assert not any(isinstance(change, Put) and change in changes for change in sealed)


def test_an_entry_that_was_moved_changed_or_made_to_live_longer_is_a_miss_and_an_alarm() -> None:
    """One alarm for each time that it is looked up."""
    disk = Disk()
    cache = Cache(disk)
    cache.save(put(b"one"), put(b"two"))
    one, two = disk.rows[b"one"], disk.rows[b"two"]
    planted = {
        b"swapped": two,
        b"one": two,
        b"two": replace(two, expires_at=two.expires_at + 1),
        b"younger": replace(one, stored_at=one.stored_at + 1),
        b"plain": replace(one, session=b"a session that nobody sealed, of a length that a sealed one has"),
    }
    disk.rows.update(planted)
    assert [cache.find(cache_id) for cache_id in planted] == [None] * len(planted)
    assert cache.alarms == len(planted)


def test_an_entry_of_another_cache_is_a_miss_and_an_alarm() -> None:
    """A session of smtpd is none of smtp, though both are sealed with one key."""
    disk = Disk()
    Cache(disk).save(put(b"one"))
    other = Cache(disk, CacheType.SMTP)
    assert other.find(b"one") is None
    assert other.alarms == 1


def test_an_entry_from_before_a_reboot_is_a_miss_without_an_alarm() -> None:
    """Its key is gone; that is as it should be."""
    disk = Disk()
    Cache(disk).save(put(b"one"))
    rebooted = Cache(disk, keys=SealingKeys(keys=(SealingKey(b"n" * 32),)))
    assert rebooted.find(b"one") is None
    assert rebooted.alarms == 0


def test_no_byte_of_a_session_reaches_the_files_of_a_store(tmp_path: Path) -> None:
    """Neither the database nor its log holds any eight bytes of it."""
    session = bytes(range(200))
    sealer = SessionSealer(CacheType.SMTPD, Sealer(KEYS, os.urandom), lambda: None)
    with SessionStore(tmp_path / "store", checkpoints=True) as store:
        store.apply(sealer.sealed([put(b"one", session)]))
        found = sealer.opened(b"one", store.find(b"one"))
        assert found is not None
        assert found.session == session
        written = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir())
    assert not any(session[at : at + 8] in written for at in range(len(session) - 7))
