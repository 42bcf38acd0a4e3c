"""An unmodified smtpd resumes its sessions through whatever serves as its tlsmgr."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.postfix_instance import PostfixInstance
from tests.system.postfix_presence import require_postfix
from tests.system.starttls import Mode, connected, resumes_twice
from tests.system.who_serves import SERVERS, Server, running

pytestmark = pytest.mark.system

_PROCESSES = 3


@pytest.fixture(scope="module", params=SERVERS, ids=str)
def server(request: pytest.FixtureRequest) -> Server:
    """Give each server that a Postfix can run with."""
    require_postfix()
    one: Server = request.param
    return one


@pytest.fixture(scope="module", params=[True, False], ids=["chrooted", "not-chrooted"])
def postfix(request: pytest.FixtureRequest, server: Server) -> Iterator[PostfixInstance]:
    """Run a Postfix with that server, chrooted as Debian has it, and not."""
    chroot: bool = request.param
    with running(server, chroot=chroot, process_limit=_PROCESSES) as instance:
        yield instance


@pytest.mark.parametrize("mode", Mode)
def test_a_session_is_resumed_twice(postfix: PostfixInstance, tmp_path: Path, mode: Mode) -> None:
    """New, Reused, Reused: by session ID, by a ticket of TLS 1.2, and with TLS 1.3."""
    before = postfix.settled_maillog()
    made = resumes_twice(postfix.port, mode, tmp_path / "session")
    assert {one.protocol for one in made} == {mode.protocol}, postfix.maillog_tail()
    logged = postfix.settled_maillog().removeprefix(before)
    assert logged.count("Reusing old session (RFC 5077 session ticket)") == (2 if mode.has_ticket else 0)
    assert logged.count("Reusing old session\n") == (0 if mode.has_ticket else 2)


@pytest.mark.parametrize("mode", Mode)
def test_a_session_is_resumed_by_another_smtpd(postfix: PostfixInstance, tmp_path: Path, mode: Mode) -> None:
    """What one process made, two others resume while the first is still busy."""
    session = tmp_path / "session"
    before = len(postfix.smtpd_pids())
    with (
        connected(postfix.port, mode, session) as first,
        connected(postfix.port, mode, session) as second,
        connected(postfix.port, mode, session) as third,
    ):
        reused = [first.reused, second.reused, third.reused]
    assert reused == [False, True, True], postfix.maillog_tail()
    assert len(set(postfix.smtpd_pids()[before:])) == _PROCESSES, postfix.maillog_tail()
