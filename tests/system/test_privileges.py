"""Workers that root started run as mail_owner, and leave nothing that belongs to root."""

import os
import pwd
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT
from rehearsal.sandbox import UNPRIVILEGED_USER, Sandbox
from rehearsal.workers import Workers
from tests.system.postfix_presence import require_postfix
from tests.system.served_postfix import SERVICE_NAME, ServedPostfix, served
from tests.system.starttls import Mode, resumes_twice
from tlsmgr.cli.workers import WORKERS

pytestmark = pytest.mark.system

#: What the workers import besides the standard library and themselves.
_DEPENDENCIES = ("_cffi_backend*", "cffi", "cryptography", "diskcache", "msgpack", "uvloop")


@pytest.fixture(scope="module")
def running() -> Iterator[ServedPostfix]:
    """Run a Postfix that our workers serve, with mail_owner postfix."""
    require_postfix()
    with served(hooked_up=True, chroot=False, own_parameters={}) as both:
        yield both


def test_workers_run_as_mail_owner(running: ServedPostfix) -> None:
    """All four user IDs and group IDs are postfix's, and there is no other group."""
    user = pwd.getpwnam("postfix")
    for name in WORKERS:
        status = _status_of(running.workers.pid(name))
        assert status["Uid"] == [str(user.pw_uid)] * 4, name
        assert status["Gid"] == [str(user.pw_gid)] * 4, name
        assert status["Groups"] == [str(user.pw_gid)], name


def test_no_file_in_the_data_directory_is_roots(running: ServedPostfix, tmp_path: Path) -> None:
    """Databases, sockets, pid files: all are mail_owner's after sessions came and a sweep."""
    resumes_twice(running.postfix.port, Mode.SESSION_ID_1_2, tmp_path / "session")
    assert running.workers.command("sweep").returncode == 0, running.evidence()
    data = running.postfix.data_directory
    owners = {path: path.lstat().st_uid for path in [data, *data.rglob("*")]}
    assert {path.name for path in owners} >= {"run", "smtpd_scache.diskcache", "cache-server.sock"}
    assert set(owners.values()) == {pwd.getpwnam("postfix").pw_uid}, owners


def test_the_checkout_may_be_closed_to_mail_owner(tmp_path: Path) -> None:
    """Whatever is imported once root's rights are given up does not need to be read then."""
    require_postfix()
    checkout = _closed_checkout(tmp_path / "closed")
    with Sandbox(owner=UNPRIVILEGED_USER, caches=()) as sandbox:
        sandbox.configure(
            f"tlsmgr_service_name = {SERVICE_NAME}",
            "smtpd_tls_session_cache_database = btree:${data_directory}/smtpd_scache",
        )
        with Workers(sandbox.root / "supervisor", config_directory=sandbox.etc, checkout=checkout) as workers:
            _use_every_verb(workers)
            workers.control("signal", "HUP", "tlsmgr:*")
            _use_every_verb(workers)
        logs = {name: workers.log(name) for name in WORKERS}
    for name, log in logs.items():
        assert "has stopped" in log, log
        assert "Traceback" not in log, log
        assert f"imported from {checkout}" in log, f"{name} ran other code than the test is about: {log}"


def _use_every_verb(workers: Workers) -> None:
    answered = {
        verb: workers.command(*verb.split()).returncode
        for verb in (
            *("seed 32", "policy smtpd", "tktkey", "update smtpd key", "lookup smtpd key"),
            *("delete smtpd key", "stats", "sweep", "ping"),
        )
    }
    assert set(answered.values()) == {0}, f"{answered}\n{workers.logs()}"


def _closed_checkout(directory: Path) -> Path:
    """Copy what runs the workers to where root alone can enter."""
    commands = directory / ".venv" / "bin"
    packages = directory / "packages"
    commands.mkdir(parents=True)
    shutil.copytree(CHECKOUT / "workers" / "tlsmgr", packages / "tlsmgr")
    installed = Path(sysconfig.get_path("platlib"))
    for path in (path for pattern in _DEPENDENCIES for path in installed.glob(pattern)):
        if path.is_dir():
            shutil.copytree(path, packages / path.name)
        else:
            shutil.copy(path, packages)
    shutil.copy(CHECKOUT / "supervisord.conf", directory)
    command = commands / "tlsmgr"
    command.write_text(
        "#!/bin/sh\n"
        f"export PYTHONPATH={packages}\n"
        f"{sys.executable} -c 'import tlsmgr; print(\"imported from\", tlsmgr.__file__)'\n"
        f'exec {sys.executable} -m tlsmgr "$@"\n'
    )
    command.chmod(0o700)
    directory.chmod(0o700)
    assert directory.stat().st_uid == os.geteuid() == 0
    return directory


def _status_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
