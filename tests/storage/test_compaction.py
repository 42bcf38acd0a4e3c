import stat
from pathlib import Path

from tests.storage.test_space import fill, sweep
from tlsmgr.storage.compaction import compact, free_bytes
from tlsmgr.storage.sessions import SessionStore


def test_a_link_where_the_copy_is_made_is_replaced_and_not_followed(directory: Path, tmp_path: Path) -> None:
    """The store is compacted all the same, and what the link leads to is as before."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"")  # SQLite would write to an empty file
    with SessionStore(directory, checkpoints=True) as store:
        fill(store, 500)
        sweep(store)
    assert free_bytes(directory) > 0
    (directory / "cache.db.compact").symlink_to(victim)
    compact(directory, 1000.0)
    assert free_bytes(directory) == 0
    assert victim.read_bytes() == b""
    assert stat.S_ISREG((directory / "cache.db").lstat().st_mode)
    assert not (directory / "cache.db.compact").is_symlink()
