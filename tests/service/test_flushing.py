"""Sessions are removed by hand, a step at a time."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsmgr.service.flushing import FlushedStore, Step, flush_step
from tlsmgr.storage.listing import PAGE_SIZE
from tlsmgr.storage.sessions import Put, SessionStore

_NOW = 1_800_000_000.0


def _put(cache_id: bytes) -> Put:
    return Put(cache_id=cache_id, session=b"s", stored_at=_NOW, expires_at=_NOW + 3600)


def _id(number: int) -> bytes:
    return b"smtp&%s.example&mx.example&::1&&%d&l=1" % (b"odd" if number % 2 else b"even", number)


def _walk(store: FlushedStore, destination: str, *, dry_run: bool) -> list[Step]:
    steps = [flush_step(store, 0, destination, dry_run=dry_run)]
    while steps[-1].next is not None:
        steps.append(flush_step(store, steps[-1].next, destination, dry_run=dry_run))
    return steps


@pytest.mark.parametrize("destination", ["", "odd.example", "mx.example", "nowhere.example"])
def test_a_flush_removes_what_a_dry_run_counts(tmp_path: Path, destination: str) -> None:
    """In small steps; everything else stays."""
    ids = {_id(number) for number in range(3 * PAGE_SIZE + 7)}
    gone = {cache_id for cache_id in ids if b"odd" in cache_id or destination != "odd.example"}
    gone = set() if destination.startswith("nowhere") else gone
    with SessionStore(tmp_path / "store", checkpoints=True) as store:
        store.apply([_put(cache_id) for cache_id in ids])

        counted = sum(step.chosen for step in _walk(store, destination, dry_run=True))
        before = store.count()
        steps = _walk(store, destination, dry_run=False)

        assert (counted, before) == (len(gone), len(ids))
        assert sum(step.chosen for step in steps) == len(gone)
        assert max(step.chosen for step in steps) <= 25
        assert store.count() == len(ids) - len(gone)


def test_what_is_saved_meanwhile_is_not_missed_twice(tmp_path: Path) -> None:
    """An entry that is saved again keeps its place; a new one comes at the end."""
    with SessionStore(tmp_path / "store", checkpoints=True) as store:
        store.apply([_put(_id(number)) for number in range(50)])
        first = flush_step(store, 0, "", dry_run=False)
        store.apply([_put(_id(49)), _put(_id(100))])

        assert first.next is not None
        rest = [flush_step(store, first.next, "", dry_run=False)]
        while rest[-1].next is not None:
            rest.append(flush_step(store, rest[-1].next, "", dry_run=False))

        assert first.chosen + sum(step.chosen for step in rest) == 51
        assert store.count() == 0


@settings(max_examples=20)
@given(st.lists(st.binary(max_size=40), unique=True, max_size=30), st.integers(1, 7))
def test_pages_give_every_entry_once(ids: list[bytes], at_most: int) -> None:
    """Whatever their number, and without what is in them."""
    with TemporaryDirectory() as directory, SessionStore(Path(directory) / "s", checkpoints=True) as store:
        store.apply([_put(cache_id) for cache_id in ids])
        listed = []
        after = 0
        while page := store.entries(after, at_most):
            assert len(page) <= at_most
            listed += page
            after = page[-1].number

        assert sorted(entry.cache_id for entry in listed) == sorted(ids)
        assert {(entry.stored_at, entry.size) for entry in listed} <= {(_NOW, 1)}


def test_a_page_of_long_ids_is_short(tmp_path: Path) -> None:
    """An answer has less than a megabyte."""
    with SessionStore(tmp_path / "store", checkpoints=True) as store:
        store.apply([_put(b"%d" % number + b"x" * 60_000) for number in range(20)])

        assert 1 <= len(store.entries(0)) < 10
