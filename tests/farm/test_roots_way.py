"""Which directories root writes to in somebody else's name."""

import os
from pathlib import Path

import pytest

from rehearsal.sandbox import UNPRIVILEGED_USER
from tests.farm.test_secret import secret
from tlsmgr.farm.secret_file import SecretFile, SecretFileError
from tlsmgr.transport.peer import user_id

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")

_OWNER = user_id(UNPRIVILEGED_USER)


def _linked(tmp_path: Path, *, link_of: int, directory_of: int) -> SecretFile:
    """Return a file in a directory to which a symbolic link leads."""
    (tmp_path / "directory").mkdir()
    os.chown(tmp_path / "directory", directory_of, -1)
    (tmp_path / "link").symlink_to("directory/../directory")
    os.lchown(tmp_path / "link", link_of, -1)
    return SecretFile(tmp_path / "link" / "farm", parameter="p", owner=_OWNER)


def _put(file: SecretFile) -> Path:
    try:
        file.replace(secret())
    finally:
        file.close()
    return file.path.parent.resolve() / "farm"


def test_nobodys_link_leads_root_to_a_directory_that_is_not_theirs(tmp_path: Path) -> None:
    """A file of their own would be where only root may put one."""
    with pytest.raises(SecretFileError, match="the symbolic link of another user leads there"):
        _put(_linked(tmp_path, link_of=_OWNER, directory_of=0))
    assert list((tmp_path / "directory").iterdir()) == []


@pytest.mark.parametrize(("link_of", "directory_of"), [(0, 0), (0, _OWNER), (_OWNER, _OWNER)])
def test_roots_links_and_links_to_their_own_directory_are_followed(
    tmp_path: Path, link_of: int, directory_of: int
) -> None:
    """The file is the user's, wherever it is."""
    placed = _put(_linked(tmp_path, link_of=link_of, directory_of=directory_of))
    assert placed.stat().st_uid == _OWNER
    assert placed.read_text() == secret().to_text()


def test_an_absolute_link_of_roots_is_followed_and_a_loop_is_no_way(tmp_path: Path) -> None:
    """As everywhere else."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "absolute").symlink_to(tmp_path / "directory")
    assert _put(SecretFile(tmp_path / "absolute" / "farm", parameter="p", owner=_OWNER)).exists()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SecretFileError, match="cannot find the directory"):
        _put(SecretFile(tmp_path / "loop" / "farm", parameter="p", owner=_OWNER))
