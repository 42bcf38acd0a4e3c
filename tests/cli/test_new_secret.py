"""Where ``tlsmgr farm new-secret`` does not write."""

from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode


@pytest.mark.parametrize("target", ["there", "missing"])
def test_no_secret_goes_through_a_symbolic_link(tmp_path: Path, target: str) -> None:
    """Whether there is something behind it or not: the file to be named is a new one."""
    (tmp_path / "there").touch(0o600)
    (tmp_path / "new").symlink_to(tmp_path / target)
    with Sandbox() as host:
        done = host.command("farm", "new-secret", str(tmp_path / "new"))
    assert (done.returncode, b"is there already" in done.stderr) == (ExitCode.HOST, True)
    assert (tmp_path / "there").read_bytes() == b""
    assert not (tmp_path / "missing").exists()
