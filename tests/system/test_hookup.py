"""``tlsmgr postfix``: a running Postfix is hooked up to our workers, and goes back, by one parameter."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.waiting import wait_for
from tests.system.postfix_instance import PostfixInstance
from tests.system.postfix_presence import require_postfix
from tests.system.served_postfix import SERVICE_NAME, ServedPostfix, served, write_own_parameters
from tests.system.starttls import Mode, resumes_twice
from tlsmgr.errors import ExitCode

pytestmark = pytest.mark.system

_OWN = {"tlsmgr_service_name": SERVICE_NAME}
_READ_AGAIN = "configuration read again"
_LOOKUP = "lookup smtpd session id="
_RELOAD_SECONDS = 15.0
# What postconf has to leave as it is: comments, blank lines, a value over two lines.
_REMARKS = "\n# A remark.\nsmtpd_banner = $myhostname\n   ESMTP\n\n# tlsmgr_service_name = not this\n"

#: What main.cf says of the parameter before, and how it is shown.
_FORMER = {"unset": "", "set": "tlsmgr_service_name = tlsmgr\n\n# The end.\n"}


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedPostfix]:
    """Run a Postfix with Debian's own tlsmgr, and our workers beside it."""
    require_postfix()
    with served(hooked_up=False, chroot=True, own_parameters=_OWN) as both:
        with (both.postfix.config_directory / "main.cf").open("a") as main_cf:
            main_cf.write(_REMARKS)
        yield both


@pytest.fixture
def running(shared: ServedPostfix) -> Iterator[ServedPostfix]:
    """Give them, and put their configuration back afterwards."""
    before = _files(shared.postfix)
    yield shared
    for path in shared.postfix.config_directory.iterdir():
        if path.name not in before:
            path.unlink()
    for name, content in before.items():
        (shared.postfix.config_directory / name).write_bytes(content)


@pytest.mark.parametrize("former", _FORMER.values(), ids=_FORMER)
def test_enable_and_disable(running: ServedPostfix, tmp_path: Path, former: str) -> None:
    """Enabled, Postfix resumes through ours; disabled, through Debian's, with main.cf as it was."""
    postfix = running.postfix
    with (postfix.config_directory / "main.cf").open("a") as main_cf:
        main_cf.write(former)
    before = _files(postfix)
    _expect(running, "status", ExitCode.NOT_DONE, "not our socket")
    _expect(running, "enable", ExitCode.OK, f"tlsmgr_service_name = {SERVICE_NAME}")
    _expect_one_line_changed(before["main.cf"], _files(postfix)["main.cf"])
    _expect(running, "status", ExitCode.OK, f"tlsmgr_service_name = {SERVICE_NAME}: our socket")
    _reload(postfix)
    assert _lookups_of_ours(running, tmp_path / "enabled") == 2, running.evidence()
    _expect(running, "disable", ExitCode.OK, "again")
    assert _files(postfix) == before
    _expect(running, "status", ExitCode.NOT_DONE, "not our socket")
    _reload(postfix)
    assert _lookups_of_ours(running, tmp_path / "disabled") == 0, running.evidence()


def test_a_second_enable_keeps_the_former_value(running: ServedPostfix) -> None:
    """What was before the first enable is what disable puts back; a second disable changes nothing."""
    before = _files(running.postfix)
    _expect(running, "enable", ExitCode.OK, "formerly not set")
    _expect(running, "enable", ExitCode.OK, "nothing to change")
    _expect(running, "disable", ExitCode.OK, "not set")
    _expect(running, "disable", ExitCode.OK, "nothing to change")
    assert _files(running.postfix) == before


def test_enable_refuses_while_the_cache_server_is_stopped(running: ServedPostfix) -> None:
    """Postfix is not pointed at a socket where nobody answers."""
    with running.workers.stopped("cache-server"):
        _expect_refusal(running, "is cache-server running?")


def test_disable_needs_no_worker(running: ServedPostfix) -> None:
    """The way back is open when ours has failed."""
    before = _files(running.postfix)
    _expect(running, "enable", ExitCode.OK, "formerly not set")
    with running.workers.stopped("cache-server"):
        _expect(running, "status", ExitCode.NOT_DONE, "is cache-server running?")
        _expect(running, "disable", ExitCode.OK, "not set")
    assert _files(running.postfix) == before


def test_enable_refuses_the_name_of_postfixs_own(running: ServedPostfix) -> None:
    """Our socket and that of Postfix's tlsmgr(8) cannot be one."""
    write_own_parameters(running.postfix, {"tlsmgr_service_name": "tlsmgr"})
    _expect_refusal(running, "Postfix's own tlsmgr")


def test_enable_refuses_a_wrong_announcement(running: ServedPostfix) -> None:
    """A Postfix that waits for the announcement is not pointed at a server that makes none."""
    write_own_parameters(running.postfix, _OWN | {"tlsmgr_protocol_announcement": "no"})
    _expect_refusal(running, "tlsmgr_protocol_announcement = yes")


def _expect_refusal(running: ServedPostfix, reason: str) -> None:
    before = _files(running.postfix)
    said = _expect(running, "enable", ExitCode.NOT_DONE, "nothing was changed")
    assert reason in said
    assert _files(running.postfix) == before


def _expect(running: ServedPostfix, action: str, code: ExitCode, words: str) -> str:
    done = running.workers.command("postfix", action, "-c", str(running.postfix.config_directory))
    said = done.stdout + done.stderr
    assert (done.returncode, words in said) == (code, True), said
    return said


def _expect_one_line_changed(before: bytes, after: bytes) -> None:
    """See that main.cf differs in its line for the parameter only, which names our socket."""
    name = b"tlsmgr_service_name ="
    former, present = before.splitlines(keepends=True), after.splitlines(keepends=True)
    assert [line for line in present if not line.startswith(name)] == [
        line for line in former if not line.startswith(name)
    ]
    set_now = [line for line in present if line.startswith(name)]
    assert set_now == [b"%b %b\n" % (name, SERVICE_NAME.encode())]


def _reload(postfix: PostfixInstance) -> None:
    """Have Postfix read main.cf again, and wait until every smtpd with the former one has ended."""
    former = {Path(f"/proc/{pid}") for pid in postfix.smtpd_pids()}
    postfix.postfix("reload")
    wait_for(
        f"end of {sorted(map(str, former))}",
        lambda: not any(process.exists() for process in former),
        seconds=_RELOAD_SECONDS,
        evidence=postfix.maillog_tail,
    )


def _lookups_of_ours(running: ServedPostfix, session: Path) -> int:
    """Resume a session twice; return how often our cache server was asked for it."""
    log = running.workers.log
    before = log("cache-server").count(_LOOKUP)
    resumes_twice(running.postfix.port, Mode.SESSION_ID_1_2, session)
    # What it wrote comes to the file by way of supervisord: this line behind it, too.
    read_again = log("cache-server").count(_READ_AGAIN)
    os.kill(running.workers.pid("cache-server"), signal.SIGHUP)
    wait_for("log", lambda: log("cache-server").count(_READ_AGAIN) > read_again, evidence=running.evidence)
    return log("cache-server").count(_LOOKUP) - before


def _files(postfix: PostfixInstance) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in postfix.config_directory.iterdir()}
