"""The history file: what is kept, and what is made of a bad one."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.errors import HostError
from tlsmgr.upkeep.history import INTERVAL_SECONDS, KEPT_SECONDS, History, Snapshot, replace_file


def test_snapshots_come_back_and_go_with_time(tmp_path: Path) -> None:
    """None is kept twice in a short time, and none for ever."""
    history = History(tmp_path)
    first = Snapshot(time=1000, figures={"a.b": 1.5}, silent=("x",))
    history.add(first)
    history.add(Snapshot(time=1000 + INTERVAL_SECONDS - 1, figures={}))
    later = Snapshot(time=1000 + INTERVAL_SECONDS, figures={"a.b": 2.0})
    history.add(later)
    assert history.load() == [first, Snapshot(time=later.time, figures={"a.b": 2.0})]
    assert [each.time for each in history.load(later.time)] == [later.time]

    history.add(Snapshot(time=later.time + KEPT_SECONDS, figures={}))
    assert [each.time for each in history.load()] == [later.time, later.time + KEPT_SECONDS]


@given(st.text())
def test_lines_that_are_no_snapshots_are_left_out(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever somebody has written there."""
    directory = tmp_path_factory.mktemp("history")
    (directory / "tlsmgr_history.jsonl").write_text(text, encoding="utf-8", errors="surrogatepass")

    assert isinstance(History(directory).load(), list)


def test_a_file_that_cannot_be_written_is_as_before(tmp_path: Path) -> None:
    """And the error names it."""
    target = tmp_path / "file"
    target.mkdir()
    with pytest.raises(HostError, match=f"cannot write {target}"):
        replace_file(target, "text", mode=0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_symbolic_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """One where the new file is made is refused, and is in nobody's way the next time."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    target, new = tmp_path / "file", tmp_path / f".file.{os.getpid()}.new"
    for link in (target, new):
        link.symlink_to(victim)
    with pytest.raises(HostError, match=f"cannot write {target}: File exists"):
        replace_file(target, "text", mode=0o644)
    assert target.is_symlink()
    replace_file(target, "text", mode=0o644)
    assert stat.S_IMODE(target.lstat().st_mode) == 0o644
    assert (target.read_text(), victim.read_text()) == ("text", "mine")


def test_a_symbolic_link_in_place_of_the_history_is_refused(tmp_path: Path) -> None:
    """It is neither read nor replaced, and the error says what to do."""
    victim = tmp_path / "victim"
    history = History(tmp_path)
    history.add(Snapshot(time=1000, figures={}))
    (tmp_path / "tlsmgr_history.jsonl").rename(victim)
    before = victim.read_text()
    (tmp_path / "tlsmgr_history.jsonl").symlink_to(victim)
    with pytest.raises(HostError, match="remove it to begin anew"):
        history.add(Snapshot(time=2000, figures={}))
    assert victim.read_text() == before
    (tmp_path / "tlsmgr_history.jsonl").unlink()
    history.add(Snapshot(time=2000, figures={}))
    assert [each.time for each in history.load()] == [2000]


def test_a_pipe_in_place_of_the_history_is_refused(tmp_path: Path) -> None:
    """Nobody waits for what its writer may say."""
    path = tmp_path / "tlsmgr_history.jsonl"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    with pytest.raises(HostError, match="remove it to begin anew"):
        History(tmp_path).load()
    os.close(writer)
