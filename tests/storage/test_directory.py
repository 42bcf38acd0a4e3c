import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.storage.test_quarantine import fill
from tlsmgr.errors import StoreError
from tlsmgr.storage.directory import opened_directory, prepare_directory
from tlsmgr.storage.quarantine import mark_in_use
from tlsmgr.storage.sessions import Put, SessionStore

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Have another umask for a while."""
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def modes(directory: Path) -> dict[str, int]:
    """Return the mode of a directory, as ".", and of each file in it."""
    paths = {".": directory} | {path.name: path for path in directory.iterdir()}
    return {name: stat.S_IMODE(path.lstat().st_mode) for name, path in paths.items()}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(directory: Path, mask: int) -> None:
    """Directory 0700, the database, its log and its index 0600."""
    with umask(mask), closing(SessionStore(directory, checkpoints=True)) as store:
        store.apply([Put(cache_id=b"id", session=b"session", stored_at=1, expires_at=2)])
        assert modes(directory) == {
            ".": 0o700,
            "cache.db": 0o600,
            "cache.db-wal": 0o600,
            "cache.db-shm": 0o600,
            "cache.db.in-use-saver": 0o600,
        }


def test_what_others_could_only_read_is_closed_to_them(directory: Path) -> None:
    """A directory that an administrator made with mkdir, or a plain diskcache, is taken over."""
    directory.mkdir(mode=0o755)
    (directory / "cache.db").touch(mode=0o644)
    prepare_directory(directory)
    assert modes(directory) == {".": 0o700, "cache.db": 0o600}


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_directory_that_others_can_write_is_refused(directory: Path, mode: int) -> None:
    """Whatever is in it may be theirs."""
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(StoreError, match=f"mode 0?{mode:o} lets others write"):
        prepare_directory(directory)
    assert not list(directory.iterdir())


@pytest.mark.parametrize("name", ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal"])
@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_a_file_that_others_can_write_is_refused(directory: Path, name: str, mode: int) -> None:
    """Each of the files that SQLite believes."""
    prepare_directory(directory)
    (directory / name).touch()
    (directory / name).chmod(mode)
    with pytest.raises(StoreError, match=f"{name}: mode 0{mode:o} lets others write"):
        prepare_directory(directory)


@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_directory_behind_a_symbolic_link_is_refused(tmp_path: Path, directory: Path, target: str) -> None:
    """Whether there is something behind it or not; nothing is made there."""
    (tmp_path / "there").mkdir()
    directory.symlink_to(tmp_path / target)
    with pytest.raises(StoreError, match="symbolic link"):
        prepare_directory(directory)
    assert not list((tmp_path / "there").iterdir())
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("name", ["cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal"])
@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_a_linked_file_is_refused_and_its_target_untouched(
    tmp_path: Path, directory: Path, name: str, kind: str
) -> None:
    """Neither content nor mode of what a link leads to changes."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o640)
    directory.mkdir(mode=0o700)
    getattr(directory / name, kind)(victim)
    with pytest.raises(StoreError, match=f"{name}: is a link"):
        SessionStore(directory, checkpoints=True)
    assert victim.read_bytes() == b"precious"
    assert stat.S_IMODE(victim.stat().st_mode) == 0o640


def test_a_dangling_link_for_the_database_makes_no_file(tmp_path: Path, directory: Path) -> None:
    """The database is never made through a link."""
    directory.mkdir(mode=0o700)
    (directory / "cache.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link"):
        prepare_directory(directory)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["cache.db.in-use-saver", "cache.db.in-use-other"])
def test_a_mark_that_is_a_link_is_not_written_through(directory: Path, tmp_path: Path, name: str) -> None:
    """Nor does the store come to be used."""
    fill(directory)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(victim)
    with pytest.raises(StoreError, match="cannot read its marks: Too many levels of symbolic links"):
        SessionStore(directory, checkpoints=name.endswith("saver"))
    assert victim.read_text() == "mine"


def test_a_link_where_a_mark_is_made_is_replaced_and_not_followed(directory: Path, tmp_path: Path) -> None:
    """The mark is there, and what the link leads to is as before."""
    directory.mkdir(mode=0o700)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (directory / "cache.db.in-use-saver.new").symlink_to(victim)
    with opened_directory(directory) as place:
        mark_in_use(place, saves=True, boot="this one")
    assert (directory / "cache.db.in-use-saver").read_text() == "this one"
    assert not (directory / "cache.db.in-use-saver").is_symlink()
    assert victim.read_text() == "mine"


@as_root
@pytest.mark.parametrize("name", [".", "cache.db", "cache.db-wal"])
def test_what_belongs_to_another_user_is_refused(directory: Path, name: str) -> None:
    """Also for root: what another user wrote is not read with root's rights."""
    prepare_directory(directory)
    for file in ("cache.db", "cache.db-wal"):
        (directory / file).touch(mode=0o600)
    os.chown(directory / name, 12345, -1)
    with pytest.raises(StoreError, match="belongs to user 12345, not to 0"):
        prepare_directory(directory)


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, parent: str) -> None:
    """The parent is the administrator's business."""
    (tmp_path / "file").touch()
    path = tmp_path / parent / "smtpd_scache"
    with pytest.raises(StoreError, match=f"^session store {path}: cannot open the directory: "):
        prepare_directory(path)


def test_a_plain_file_is_no_directory(directory: Path) -> None:
    """Such as Postfix's own database of that name; it is left alone."""
    directory.write_bytes(b"Postfix's")
    with pytest.raises(StoreError, match="cannot open the directory: Not a directory"):
        prepare_directory(directory)
    assert directory.read_bytes() == b"Postfix's"


def test_a_relative_path_is_refused() -> None:
    """It would depend on where the process was started."""
    with pytest.raises(StoreError, match="must be absolute"):
        prepare_directory(Path("smtpd_scache"))


def test_a_path_that_diskcache_would_expand_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checking one directory and opening another would be worse than an error."""
    monkeypatch.setenv("SOMEWHERE", "/elsewhere")
    with pytest.raises(StoreError, match="would replace"):
        prepare_directory(tmp_path / "$SOMEWHERE")
    assert not list(tmp_path.iterdir())
