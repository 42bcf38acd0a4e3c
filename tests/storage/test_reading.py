"""Stores that are only looked at."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.test_space import fill
from tests.storage.test_verification import SEALED
from tlsmgr.errors import StoreError
from tlsmgr.storage.compaction import free_bytes
from tlsmgr.storage.limits import NO_LIMITS
from tlsmgr.storage.reading import StoreReader, connect_to_read, has_database
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.storage.verification import defects


def verify(directory: Path) -> None:
    """Look for defects, of which there are none."""
    assert list(defects(directory, NO_LIMITS, SEALED)) == []


@pytest.mark.parametrize("look", [free_bytes, StoreReader, verify])
def test_a_link_in_place_of_the_database_is_not_followed(
    directory: Path, tmp_path: Path, look: Callable[[Path], object]
) -> None:
    """Who only looks refuses it as well: nothing is read of what it leads to, nor made beside that."""
    elsewhere = tmp_path / "elsewhere"
    with SessionStore(elsewhere, checkpoints=True) as store:
        fill(store, 50)
    before = {path.name: path.stat().st_mtime_ns for path in elsewhere.iterdir()}
    directory.mkdir(mode=0o700)
    (directory / "cache.db").symlink_to(elsewhere / "cache.db")
    with pytest.raises(StoreError, match=r"cache\.db: is a link"):
        look(directory)
    assert {path.name: path.stat().st_mtime_ns for path in elsewhere.iterdir()} == before


def test_a_link_that_leads_nowhere_is_no_store_that_is_not_made(directory: Path) -> None:
    """It is told, rather than passed over."""
    assert not has_database(directory)
    directory.mkdir(mode=0o700)
    assert not has_database(directory)
    (directory / "cache.db").symlink_to("nowhere")
    assert has_database(directory)
    with pytest.raises(StoreError, match=r"cache\.db: is a link"):
        connect_to_read(directory)
