"""Postfix goes on resuming sessions while supervisorctl restarts our workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.postfix_presence import require_postfix
from tests.system.served_postfix import ServedPostfix, served
from tests.system.starttls import Mode, handshake, resumes_twice
from tlsmgr.cli.workers import WORKERS

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def running() -> Iterator[ServedPostfix]:
    """Run a Postfix with one smtpd, chrooted as Debian has it, that our workers serve."""
    require_postfix()
    with served(hooked_up=True, chroot=True, own_parameters={}) as both:
        yield both


@pytest.mark.parametrize("name", WORKERS)
def test_sessions_are_resumed_after_a_restart(running: ServedPostfix, tmp_path: Path, name: str) -> None:
    """New, Reused, Reused in all modes, before and after any one worker was restarted."""
    for mode in Mode:
        resumes_twice(running.postfix.port, mode, tmp_path / f"before-{mode.name}")
    running.workers.restart(name)
    for mode in Mode:
        resumes_twice(running.postfix.port, mode, tmp_path / f"after-{mode.name}")


def test_a_session_outlives_the_cache_server(running: ServedPostfix, tmp_path: Path) -> None:
    """A TLS 1.2 session of before its restart is found afterwards, by the smtpd that made it."""
    session = tmp_path / "session"
    first = handshake(running.postfix.port, Mode.SESSION_ID_1_2, session)
    running.workers.restart("cache-server")
    second = handshake(running.postfix.port, Mode.SESSION_ID_1_2, session)
    assert (first.reused, second.reused) == (False, True), running.evidence()
    assert second.session_id == first.session_id
    assert len(set(running.postfix.smtpd_pids()[-2:])) == 1, "another smtpd came, which is another test"


def test_mail_is_taken_while_the_cache_server_is_stopped(running: ServedPostfix, tmp_path: Path) -> None:
    """Without it a handshake that offers a session is a full one; with it again, sessions are resumed."""
    session = tmp_path / "session"
    handshake(running.postfix.port, Mode.SESSION_ID_1_2, session)
    with running.workers.stopped("cache-server"):
        without = handshake(running.postfix.port, Mode.SESSION_ID_1_2, session)
    assert not without.reused
    resumes_twice(running.postfix.port, Mode.SESSION_ID_1_2, tmp_path / "again")
