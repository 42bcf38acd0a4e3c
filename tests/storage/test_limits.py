import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.planting import plant
from tlsmgr.storage.sessions import Put, Remove, SessionStore, StoreLimits

NOW = 1_000_000.0
_KIB = 1024


def put(name: int, *, size: int = 400, expires_at: float | None = None) -> Put:
    """Return a Put of an entry that expires in the order of the names."""
    expires = NOW + name if expires_at is None else expires_at
    return Put(cache_id=b"%d" % name, session=bytes(size), stored_at=NOW, expires_at=expires)


def test_what_is_nearest_to_expiry_goes_first(store: SessionStore) -> None:
    """And who saved is told the ids: what is in memory must go as well."""
    limits = StoreLimits(entries=3)
    assert store.apply([put(5), put(2), put(9)], limits).evicted == []
    applied = store.apply([put(7), put(8)], limits)
    assert (applied.done, sorted(applied.evicted), applied.expired) == ([True, True], [b"2", b"5"], 0)
    assert store.count() == 3


def test_what_was_just_saved_may_go_at_once(store: SessionStore) -> None:
    """When it is the nearest to expiry; it was saved all the same."""
    applied = store.apply([put(5), put(2), put(9)], StoreLimits(entries=2))
    assert (applied.done, applied.evicted) == ([True] * 3, [b"2"])


def test_entries_whose_time_was_over_are_told_apart(store: SessionStore) -> None:
    """Nobody misses them, so they are no reason for a higher limit."""
    applied = store.apply([put(1, expires_at=NOW), put(2), put(3), put(4)], StoreLimits(entries=2))
    assert (sorted(applied.evicted), applied.expired) == ([b"1", b"2"], 1)


def test_planted_rows_are_none_of_the_entries_that_expired(
    store: SessionStore, intruder: sqlite3.Connection
) -> None:
    """Who saves is told of neither, so that no more are said to have expired than went."""
    for key in ("planted", "too"):
        plant(intruder, key=key, expire_time=NOW - 1)
    applied = store.apply([put(1, expires_at=NOW), put(2), put(3), put(4)], StoreLimits(entries=2))
    assert (sorted(applied.evicted), applied.expired) == ([b"1", b"2"], 1)


def test_entries_of_one_expiry_time_go_one_by_one(store: SessionStore) -> None:
    """As many as there are too many, not all of a second."""
    store.apply([put(name, expires_at=NOW + 9) for name in range(50)], StoreLimits(entries=20))
    assert store.count() == 20


def test_a_new_session_takes_the_place_of_one_that_went(store: SessionStore) -> None:
    """A full store whose sessions expire in no order neither grows nor loses more than come in."""
    chance = random.Random(1)  # noqa: S311 - times, not secrets
    ends = [NOW + chance.uniform(0, 1000) for _ in range(2000)]
    store.apply([put(name, expires_at=ends[name]) for name in range(2000)])
    limits = StoreLimits(size=store.size())
    for start in range(2000, 6000, 20):
        store.apply(
            [
                put(name, expires_at=NOW + start + chance.uniform(0, 1000))
                for name in range(start, start + 20)
            ],
            limits,
        )
    assert store.count() > 1900
    assert store.size() <= limits.size * 1.01


def test_a_session_that_is_saved_again_takes_nobodys_place(store: SessionStore) -> None:
    """A client's cache has the same destinations again and again."""
    limits = StoreLimits(entries=10)
    store.apply([put(name) for name in range(10)], limits)
    assert store.apply([put(3), put(3), put(4)], limits).evicted == []
    assert store.apply([put(4), put(20)], limits).evicted == [b"0"]
    again = put(1, expires_at=NOW + 99)  # which was the nearest to expiry, and is there afterwards
    assert store.apply([put(21), again], limits).evicted == [b"2"]
    assert store.find(b"1") is not None
    assert store.count() == 10


def test_large_sessions_go_a_few_at_a_time(store: SessionStore) -> None:
    """They cost by the byte; a store of that many entries may be a little over meanwhile."""
    limits = StoreLimits(entries=10_000)
    store.apply(
        [put(name, size=60_000) for name in range(10)] + [put(name, size=1) for name in range(10, 10_000)]
    )
    assert len(store.apply([put(name) for name in range(10_000, 10_020)], limits).evicted) < 5
    while store.evict(limits, 25, NOW).evicted:
        pass
    assert store.count() == 10_000


@pytest.mark.parametrize("size", [16_000, 60_000])
def test_large_sessions_that_go_for_small_ones_keep_no_limit_from_being_kept(
    store: SessionStore, size: int
) -> None:
    """What cannot wait any more goes in the same transaction, however much that is."""
    limits = StoreLimits(entries=7000)
    for start in range(0, 600, 30):
        store.apply([put(name, size=size) for name in range(start, start + 30)])
    store.apply([put(name, size=1) for name in range(600, 7000)])
    for start in range(7000, 7600, 30):
        store.apply([put(name, size=1) for name in range(start, start + 30)], limits)
        assert store.count() <= limits.entries * 1.01


def test_a_store_far_over_its_limit_loses_large_sessions_in_steps(store: SessionStore) -> None:
    """A transaction removes as many as it adds, so that it is short; the rest is left to upkeep."""
    store.apply([put(name, size=60_000) for name in range(100)])
    applied = store.apply([put(name) for name in range(100, 104)], StoreLimits(entries=50))
    assert len(applied.evicted) in {4, 5}
    assert store.count() == 104 - len(applied.evicted)


def test_without_limits_nothing_goes(store: SessionStore) -> None:
    """Zero is no limit."""
    assert store.apply([put(name) for name in range(100)], StoreLimits()).evicted == []
    assert store.evict(StoreLimits(), 100, NOW).evicted == []
    assert store.count() == 100


@given(
    st.integers(1, 300),
    st.lists(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=32), max_size=20),
)
@settings(max_examples=25)
def test_the_number_of_entries_is_never_over_by_more_than_one_percent(
    tmp_path_factory: pytest.TempPathFactory, limit: int, batches: list[list[tuple[int, bool]]]
) -> None:
    """Whatever is saved, replaced and removed; and nothing goes while there is room."""
    with SessionStore(tmp_path_factory.mktemp("limits") / "store", checkpoints=True) as store:
        for batch in batches:
            before = store.count()
            applied = store.apply(
                [put(name) if saves else Remove(cache_id=b"%d" % name) for name, saves in batch],
                StoreLimits(entries=limit),
            )
            assert store.count() <= limit * 1.01
            if applied.evicted:
                assert store.count() == limit
            assert before + len(batch) > limit or not applied.evicted


@pytest.mark.parametrize(("limit", "group"), [(256 * _KIB, 1), (2048 * _KIB, 1), (2048 * _KIB, 16)])
def test_the_size_stays_near_its_limit(store: SessionStore, directory: Path, limit: int, group: int) -> None:
    """Sessions of 100 bytes to 8 KB: never more than 1% over, never much less, and the file likewise."""
    chance = random.Random(1)  # noqa: S311 - sizes, not secrets
    limits = StoreLimits(size=limit)
    sizes = []
    for start in range(0, 3000, group):
        large = 8000 if start % 1000 > 500 else 600
        store.apply(
            [put(name, size=chance.randint(100, large)) for name in range(start, start + group)], limits
        )
        sizes.append(store.size())
    assert max(sizes) <= limit * 1.01
    full = next(index for index, size in enumerate(sizes) if size > limit * 0.95)
    assert min(sizes[full:]) > limit * 0.75
    assert (directory / "cache.db").stat().st_size <= limit * 1.2


def test_replacing_sessions_with_larger_ones_stays_within_the_size(store: SessionStore) -> None:
    """A row that grows in its place needs room like a new one."""
    limits = StoreLimits(size=512 * _KIB)
    for size in (100, 500, 2000, 4000, 8000):
        for start in range(0, 200, 20):
            store.apply([put(name, size=size) for name in range(start, start + 20)], limits)
            assert store.size() <= limits.size * 1.01
    assert store.count() > 20


def test_a_limit_that_was_lowered_is_reached_in_steps(store: SessionStore) -> None:
    """Each as short as asked for; updates meanwhile let the store not grow."""
    store.apply([put(name) for name in range(1000)])
    limits = StoreLimits(entries=300, size=512 * _KIB)
    store.apply([put(2000)], limits)
    former = store.count()
    assert 960 <= former <= 1000
    while evicted := store.evict(limits, 25, NOW).evicted:
        assert len(evicted) <= 25
        assert store.count() == former - len(evicted)
        former = store.count()
    assert former == 300
    assert store.size() <= limits.size
    assert store.find(b"999") is not None
    assert store.find(b"0") is None


def test_making_room_uses_the_index(store: SessionStore) -> None:
    """It costs the same at any size."""
    from tlsmgr.storage import limits  # noqa: PLC0415 - only here are its statements needed

    plan = store._database.connection.execute(  # noqa: SLF001 - the statement runs on the store's connection
        "EXPLAIN QUERY PLAN " + limits._NEAREST,  # noqa: SLF001 - likewise
        (1,),
    ).fetchall()
    details = " ".join(row[3] for row in plan)
    assert "Cache_expire_time" in details
    assert "TEMP B-TREE" not in details
