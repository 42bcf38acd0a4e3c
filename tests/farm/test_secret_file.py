import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm.test_secret import secret
from tlsmgr.errors import ConfigurationError
from tlsmgr.farm.secret_file import SecretFile, SecretFileError, SecretReplacedError, read_farm_secret

_REPLACING = """\
import sys
from pathlib import Path
from tests.farm.test_secret import secret
from tlsmgr.farm.secret_file import SecretFile
import os
file = SecretFile(Path(sys.argv[1]), parameter="p", owner=os.geteuid())
print("ready", flush=True)
epoch = int(sys.argv[2])
while True:
    epoch += 1
    file.replace(secret(epoch))
"""
_HOLDING = """\
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("ready", flush=True)
input()
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SecretFile]:
    """Give a file that is not there yet, in a directory of ours."""
    made = SecretFile(tmp_path / "farm", parameter="the_parameter", owner=os.geteuid())
    yield made
    made.close()


def test_what_was_put_there_is_read_again(file: SecretFile) -> None:
    """By its owner alone."""
    file.replace(secret())
    assert file.read() == secret()
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_replaced_file_is_another_one(file: SecretFile) -> None:
    """So that whoever looks at its stamp reads it again."""
    assert file.stamp() is None
    file.replace(secret())
    first = file.stamp()
    assert first == file.stamp()
    file.replace(secret(1001))
    assert file.stamp() not in (first, None)


def test_the_former_file_is_overwritten(file: SecretFile) -> None:
    """Who still has it open reads zeros: no key of a former epoch stays on the disk by its name."""
    file.replace(secret())
    with file.path.open("rb") as held:
        file.replace(secret(1001))
        assert set(held.read()) == {0}
    assert file.read() == secret(1001)


def test_a_copy_that_somebody_made_is_left_alone(file: SecretFile) -> None:
    """A file with another name is not ours to write over."""
    file.replace(secret())
    copy = file.path.with_name("copy")
    copy.hardlink_to(file.path)
    file.replace(secret(1001))
    assert copy.read_text() == secret().to_text()


def test_nothing_is_written_over_what_another_process_put_there(file: SecretFile) -> None:
    """An import wins over an advance of the ratchet."""
    file.replace(secret())
    other = SecretFile(file.path, parameter="p", owner=os.geteuid())
    other.replace(secret(first=1))
    other.close()
    with pytest.raises(SecretReplacedError):
        file.replace(secret(1001), former=secret())
    assert file.read() == secret(first=1)


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_a_killed_one_left_or_somebody_planted_is_not_written_to(file: SecretFile, kind: str) -> None:
    """The new file is one that this process made; a link in the old one's place is replaced, not followed."""
    foreign = file.path.with_name("foreign")
    foreign.write_text("foreign")
    new = file.path.with_name("farm.new")
    if kind == "file":
        new.write_text("half")
    elif kind == "link":
        new.symlink_to(foreign)
        file.path.symlink_to(foreign)
    else:
        new.mkdir()
        with pytest.raises(SecretFileError, match="cannot replace"):
            file.replace(secret())
        return
    file.replace(secret())
    assert file.read() == secret()
    assert foreign.read_text() == "foreign"


def test_what_a_killed_one_left_is_overwritten(file: SecretFile) -> None:
    """It may be a whole secret; who still has it open reads zeros."""
    new = file.path.with_name("farm.new")
    new.write_text(secret(1001).to_text())
    with new.open("rb") as held:
        file.replace(secret())
        assert set(held.read()) == {0}
    assert list(file.path.parent.iterdir()) == [file.path]


def test_only_one_replaces_the_file_at_a_time(file: SecretFile) -> None:
    """Another one waits for a moment, and says why it gave up."""
    file.replace(secret())
    with subprocess.Popen(  # noqa: S603 - this Python, and this module's own script
        [sys.executable, "-c", _HOLDING, file.path.parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(SecretFileError, match="being replaced by another process"):
            file.replace(secret(1001))
        holder.communicate(b"\n", timeout=10)
    file.replace(secret(1001))
    assert file.read() == secret(1001)


@pytest.mark.parametrize("after", range(0, 40, 2))
def test_a_kill_at_any_moment_leaves_a_whole_file(file: SecretFile, after: int) -> None:
    """The one from before or the one from after, which goes on from where it is."""
    file.replace(secret(1))
    with subprocess.Popen(  # noqa: S603 - likewise
        [sys.executable, "-c", _REPLACING, file.path, "1"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        _wait_for_changes(file, after)
        process.kill()
    found = file.read()
    assert found == secret(found.ratchet.epoch)
    file.replace(secret(found.ratchet.epoch + 1), former=found)


def test_who_reads_while_it_is_replaced_has_a_whole_secret(file: SecretFile) -> None:
    """The one from before or the one from after, and never what the former one was overwritten with."""
    file.replace(secret(1))
    with subprocess.Popen(  # noqa: S603 - likewise
        [sys.executable, "-c", _REPLACING, file.path, "1"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            _read_often(file)
        finally:
            process.kill()


def _read_often(file: SecretFile) -> None:
    last = 0
    for _ in range(2000):
        found = file.read()
        assert found == secret(found.ratchet.epoch)
        assert found.ratchet.epoch >= last
        last = found.ratchet.epoch


def _wait_for_changes(file: SecretFile, count: int) -> None:
    last = file.stamp()
    while count:
        count -= file.stamp() != last
        last = file.stamp()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o700])
def test_a_secret_that_others_may_read_is_refused(file: SecretFile, mode: int) -> None:
    """They may have read it; the message names the parameter."""
    file.replace(secret())
    file.path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"the_parameter: .*farm has mode {mode:04o}"):
        file.read()


def test_a_secret_of_another_user_is_refused(file: SecretFile) -> None:
    """Nobody else chooses our keys."""
    file.replace(secret())
    with pytest.raises(ConfigurationError, match="belongs to user"):
        read_farm_secret(file.path, parameter="p", owners={os.geteuid() + 1})


@pytest.mark.parametrize("content", ["", "tlsmgr farm secret 2\n", secret().to_text()[:-30], "\xff" * 2000])
def test_what_is_no_secret_is_refused_without_quoting_it(file: SecretFile, content: str) -> None:
    """With how to make one."""
    file.path.write_text(content, encoding="latin-1")
    file.path.chmod(0o600)
    with pytest.raises(
        ConfigurationError, match=r"holds no secret of a farm: .*new-secret makes one"
    ) as raised:
        file.read()
    assert secret().ratchet.chain_key.hex() not in str(raised.value)


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    """At the first use of the file, and at each later one until it is there."""
    file = SecretFile(tmp_path / "none" / "farm", parameter="p", owner=os.geteuid())
    assert file.stamp() is None
    with pytest.raises(SecretFileError, match="cannot find the directory"):
        file.read()
    file.path.parent.mkdir()
    file.replace(secret())
    assert file.read() == secret()
    file.close()
