import asyncio
import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from rehearsal.programs import program
from tests.system.postfix_presence import require
from tests.transport.lines import serving, short_directory
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.errors import HostError, Status
from tlsmgr.hookup.checks import PARAMETER, Check, all_checks, socket_path
from tlsmgr.hookup.postconf import Postconf
from tlsmgr.messages import PolicyReply, Reply, Request
from tlsmgr.processes.attribute_dialogue import AttributeDialogue


@pytest.fixture
def directory() -> Iterator[Path]:
    """A private configuration whose queue directory is beside it."""
    reason = None if program("postconf") else "not installed: postconf"
    require(reason, environment=os.environ)
    with short_directory() as made:
        (made / "private").mkdir(mode=0o700)
        lines = [
            f"queue_directory = {made}/",
            f"data_directory = {made}",
            f"mail_owner = {getpass.getuser()}",
            "compatibility_level = 3.6",
        ]
        (made / "main.cf").write_text("".join(f"{line}\n" for line in lines))
        _make_old(made)
        (made / "master.cf").touch()
        (made / "tlsmgr.cf").write_text(f"{PARAMETER} = ours\n")
        yield made


def _make_old(directory: Path) -> None:
    # Postfix's programs wait for two seconds before they read a main.cf that has just been written.
    os.utime(directory / "main.cf", (0, 0))


def _settings(directory: Path, **overrides: str) -> Settings:
    return load_settings(directory, overrides=list(overrides.items()))


def _checks(directory: Path, **overrides: str) -> list[Check]:
    return list(all_checks(_settings(directory, **overrides), Postconf(directory)))


def _last(directory: Path, **overrides: str) -> str:
    *passed, failed = _checks(directory, **overrides)
    assert all(check.passed for check in passed)
    assert not failed.passed
    return failed.text


@pytest.mark.parametrize("status", [Status.OK, Status.FAILED])
def test_all_checks_pass_beside_a_server_that_answers(directory: Path, status: Status) -> None:
    """A server that refuses its policy does not pass; a slash behind the queue directory is no matter."""

    def answer(_request: Request) -> Reply:
        return PolicyReply(status=status, cachable=True, timeout=3600)

    async def run() -> list[Check]:
        async with serving(lambda: AttributeDialogue(65536, answer, announces=True)) as (_, path):
            path.rename(socket_path(_settings(directory)))
            found = await asyncio.to_thread(_checks, directory)
            socket_path(_settings(directory)).rename(path)
            return found

    checks = uvloop.run(run())
    assert len(checks) == 5
    assert [check.passed for check in checks] == [True] * 4 + [status is Status.OK]


def test_the_announcement_must_be_what_postfix_waits_for(directory: Path) -> None:
    """The check names the parameter to set."""
    assert "tlsmgr_protocol_announcement = yes" in _last(directory, tlsmgr_protocol_announcement="no")


def test_both_must_have_the_same_queue_directory(directory: Path) -> None:
    """The socket would not be where smtpd looks."""
    assert "/elsewhere" in _last(directory, queue_directory="/elsewhere")


def test_postfixs_own_socket_is_never_taken(directory: Path) -> None:
    """The name ``tlsmgr`` is that of Postfix's own service."""
    assert "set another name" in _last(directory, tlsmgr_service_name="tlsmgr")


def test_a_missing_socket_is_told(directory: Path) -> None:
    """As a server that does not run."""
    assert "is cache-server running?" in _last(directory)


def test_a_file_that_is_no_socket_is_told(directory: Path) -> None:
    """And it stays."""
    path = socket_path(_settings(directory))
    path.touch()
    assert "is no socket" in _last(directory)
    assert path.exists()


@pytest.mark.parametrize(("folder", "mode"), [(0o600, 0o600), (0o700, 0o400)])
def test_owner_and_mode_must_let_smtpd_in(directory: Path, folder: int, mode: int) -> None:
    """The folder must be searchable and the socket writable for the mail owner."""
    path = socket_path(_settings(directory))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        path.chmod(mode)
        path.parent.chmod(folder)
        text = _last(directory)
        path.parent.chmod(0o700)
    assert "do not let" in text or "cannot examine" in text


def test_a_stale_socket_does_not_answer(directory: Path) -> None:
    """Its file alone is not enough."""
    path = socket_path(_settings(directory))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
    path.chmod(0o600)
    assert "does not answer" in _last(directory)


def test_postconf_changes_one_parameter_and_puts_it_back(directory: Path) -> None:
    """main.cf is then what it was, byte by byte."""
    before = (directory / "main.cf").read_bytes()
    postconf = Postconf(directory)
    assert postconf.explicit_value(PARAMETER) is None
    assert postconf.value(PARAMETER) == "tlsmgr"
    postconf.set(PARAMETER, "ours")
    _make_old(directory)
    assert postconf.explicit_value(PARAMETER) == postconf.value(PARAMETER) == "ours"
    postconf.set(PARAMETER, "")
    _make_old(directory)
    assert postconf.explicit_value(PARAMETER) == ""
    postconf.unset(PARAMETER)
    _make_old(directory)
    assert (directory / "main.cf").read_bytes() == before


def test_a_failing_postconf_is_the_hosts_fault(directory: Path) -> None:
    """The error has postconf's own words."""
    with pytest.raises(HostError, match=r"main\.cf"):
        Postconf(directory / "missing").value("mail_version")
