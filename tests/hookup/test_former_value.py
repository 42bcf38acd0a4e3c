import os
import stat
from pathlib import Path

import pytest

from tlsmgr.errors import HostError
from tlsmgr.hookup.former_value import FormerValue


@pytest.mark.parametrize("value", [None, "tlsmgr", "", "$name with = signs", "set", "unset"])
def test_a_value_comes_back_as_it_was(tmp_path: Path, value: str | None) -> None:
    """Set, set to nothing, and not set are three different things."""
    FormerValue(value="another").save(tmp_path)
    FormerValue(value=value).save(tmp_path)
    assert FormerValue.load(tmp_path) == FormerValue(value=value)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", bytes(20)])
def test_what_a_power_loss_leaves_is_nothing(tmp_path: Path, content: bytes) -> None:
    """The parameter is then looked for in the configuration."""
    (tmp_path / "tlsmgr.former_service_name").write_bytes(content)
    assert FormerValue.load(tmp_path) is None


def test_what_is_no_text_is_told_with_what_to_do(tmp_path: Path) -> None:
    """As any file that cannot be read."""
    (tmp_path / "tlsmgr.former_service_name").write_bytes(b"\xff\n")
    with pytest.raises(HostError, match=r"former_service_name: it is not what was written there; remove it"):
        FormerValue.load(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_the_directorys_owner_is_read_and_a_strangers_is_not(tmp_path: Path) -> None:
    """A restored or given away directory goes on to be of use."""
    FormerValue(value="x").save(tmp_path)
    path = tmp_path / "tlsmgr.former_service_name"
    os.chown(path, 65534, -1)
    with pytest.raises(HostError, match="not a regular file of this user"):
        FormerValue.load(tmp_path)
    os.chown(tmp_path, 65534, -1)
    assert FormerValue.load(tmp_path) == FormerValue(value="x")


def test_nothing_is_left_when_it_is_forgotten(tmp_path: Path) -> None:
    """And nothing is there to begin with; forgetting twice is no error."""
    assert FormerValue.load(tmp_path) is None
    FormerValue(value="x").save(tmp_path)
    for _ in range(2):
        FormerValue.forget(tmp_path)
    assert FormerValue.load(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """The error says which file."""
    with pytest.raises(HostError, match="former_service_name"):
        FormerValue(value="x").save(tmp_path / "missing")
    (tmp_path / "tlsmgr.former_service_name").mkdir()
    with pytest.raises(HostError, match="former_service_name"):
        FormerValue.load(tmp_path)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """It is refused for reading, and replaced when a value is saved; so is one where the new file is made."""
    victim = tmp_path / "victim"
    victim.write_text("ours\nset theirs\n")
    path = tmp_path / "tlsmgr.former_service_name"
    for name in (path.name, f"{path.name}.new", f"{path.name}.{os.getpid()}"):
        (tmp_path / name).symlink_to(victim)
    with pytest.raises(HostError, match=r"cannot read .*former_service_name: Too many levels"):
        FormerValue.load(tmp_path)
    FormerValue(value="x").save(tmp_path)
    assert FormerValue.load(tmp_path) == FormerValue(value="x")
    assert stat.S_IMODE(path.lstat().st_mode) == 0o644
    assert victim.read_text() == "ours\nset theirs\n"
