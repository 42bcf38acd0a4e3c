"""Started as root: the workers run as the mail owner, and nothing that they make is root's."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType
from tlsmgr.processes.kinds import KINDS

_OWNERS = [name for name in ("postfix", "nobody") if name in {user.pw_name for user in pwd.getpwall()}]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(params=_OWNERS)
def owned(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Give a sandbox whose mail owner is not root."""
    with Sandbox(owner=str(request.param)) as made:
        yield made


def _ids(pid: int, kind: str) -> set[int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {int(word) for line in lines if line.startswith(f"{kind}:") for word in line.split()[1:]}


def test_runs_as_the_mail_owner(owned: Sandbox) -> None:
    """All user and group ids are the mail owner's, saved ones and supplementary groups included."""
    workers = [owned.start(name) for name in sorted(KINDS)]
    user = pwd.getpwnam(owned.owner)
    with owned.client() as client:
        assert client.update(CacheType.SMTPD, b"id", b"session")

    for worker in workers:
        assert _ids(worker.pid, "Uid") == {user.pw_uid}
        assert _ids(worker.pid, "Gid") == _ids(worker.pid, "Groups") == {user.pw_gid}
        assert worker.stop() == ExitCode.OK
    made = [path for path in owned.data.rglob("*") if not path.is_symlink()]
    assert {path.stat().st_uid for path in made} == {user.pw_uid}
    assert not [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_unknown_mail_owner_is_a_bad_configuration(sandbox: Sandbox, name: str) -> None:
    """It exits with 78, and names file, line and parameter."""
    sandbox.owner = "no-such-user"
    sandbox.configure()

    worker = sandbox.launch(name)

    assert worker.wait() == ExitCode.CONFIGURATION
    assert f"{sandbox.main_cf}:1: mail_owner" in worker.log
