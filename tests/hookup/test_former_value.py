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
