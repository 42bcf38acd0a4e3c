"""The verb doctor finds each fault that is planted, and nothing where there is none."""

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.checkout import COMMANDS
from rehearsal.programs import program
from rehearsal.sandbox import Sandbox
from tests.system.postfix_presence import require
from tlsmgr.cli.workers import WORKERS
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType

_MASTER_CF = "smtp inet n - y - - smtpd\nsmtp unix - - y - - smtp\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    """Give a sandbox in which all workers run. Whoever changes it puts it back."""
    with Sandbox() as made:
        for worker in WORKERS:
            made.start(worker)
        yield made


@pytest.fixture
def healthy(served: Sandbox) -> Sandbox:
    """Give the same sandbox, with its own main.cf and no master.cf."""
    _configure(served)
    (served.etc / "master.cf").unlink(missing_ok=True)
    (served.etc / "tlsmgr.cf").unlink(missing_ok=True)
    return served


def _configure(sandbox: Sandbox, *lines: str) -> None:
    sandbox.configure(*lines)
    # Postfix's programs wait for two seconds before they read a main.cf that has just been written.
    os.utime(sandbox.main_cf, (0, 0))


def _faults(sandbox: Sandbox) -> dict[str, str]:
    """Return what doctor finds fault with, and see that every fault has an advice and a code."""
    done = sandbox.command("doctor", "--json", "--quiet")
    assert b"Traceback" not in done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == (ExitCode.NOT_DONE if found else ExitCode.OK), done.stderr
    assert all(each["advice"] for each in found)
    return {each["name"]: f"{each['text']} -> {each['advice']}" for each in found}


@contextmanager
def _mode(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode & 0o7777
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


def test_all_is_well(healthy: Sandbox) -> None:
    """One line for each check, aligned, without colours for a pipe, and exit code 0."""
    done = healthy.command("doctor")

    assert (done.returncode, done.stderr) == (ExitCode.OK, b""), done.stdout
    lines = done.stdout.decode().splitlines()
    assert len(lines) > 20
    assert {line.split()[0] for line in lines} <= {"ok", "skipped"}
    assert len({len(line) - len(line.split(maxsplit=1)[1]) for line in lines}) == 1
    assert "\x1b" not in done.stdout.decode()


def test_a_stopped_and_a_hung_worker(sandbox: Sandbox) -> None:
    """Each is named; the one that answers is not."""
    sandbox.start("cache-server")
    hung = sandbox.start("prng-server")
    hung.signal(signal.SIGSTOP)

    faults = _faults(sandbox)

    assert {"worker prng-server", "worker expiry-sweeper"} <= faults.keys()
    assert "no answer within" in faults["worker prng-server"]
    assert "supervisorctl start tlsmgr:expiry-sweeper" in faults["worker expiry-sweeper"]
    assert "worker cache-server" not in faults


def test_nothing_runs_and_nothing_is_there(sandbox: Sandbox) -> None:
    """Every missing part is a line, and no traceback."""
    sandbox.queue.rename(sandbox.root / "moved")

    faults = _faults(sandbox)

    assert {
        "worker cache-server",
        "tlsmgr_run_directory",
        "socket directory",
        "socket access",
    } <= faults.keys()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_who_may_not_look(healthy: Sandbox) -> None:
    """Each verb says what is denied, and doctor what to do: without a traceback."""
    try:
        _as_nobody(healthy, "--version")
    except PermissionError as error:
        pytest.skip(f"nobody may not run it here: {error}")
    with _mode(healthy.etc, 0o755), _mode(healthy.main_cf, 0o644):
        told = {
            verb: _as_nobody(healthy, *verb.split())
            for verb in ("doctor --quiet", "list", "flush -n", "keys", f"explain {'00' * 16}")
        }

    assert {verb: done.returncode for verb, done in told.items() if "doctor" not in verb} == dict.fromkeys(
        list(told)[1:], ExitCode.UNAVAILABLE
    )
    doctor = told.pop("doctor --quiet")
    assert doctor.returncode == ExitCode.NOT_DONE
    assert b"look as root, or as one of tlsmgr_authorized_users" in doctor.stdout
    assert doctor.stderr == b""
    assert all(b"Permission denied" in done.stderr and not done.stdout for done in told.values())
    assert not any(b"Traceback" in done.stderr for done in told.values())


def _as_nobody(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - our own command
        [COMMANDS / "tlsmgr", *arguments],
        env=sandbox.environment,
        capture_output=True,
        timeout=20,
        check=False,
        user="nobody",
        extra_groups=[],
    )


def test_a_bad_configuration(healthy: Sandbox) -> None:
    """File and line are named, and a misspelled name of ours too."""
    _configure(healthy, "tls_random_bytes = many")
    assert f"{healthy.main_cf}" in _faults(healthy)["configuration"]

    _configure(healthy, "tlsmgr_sesion_cache_entry_limit = 5")
    assert "tlsmgr_sesion_cache_entry_limit" in _faults(healthy)["configuration"]


def test_two_caches_on_one_database(healthy: Sandbox) -> None:
    """As the workers refuse it."""
    _configure(healthy, "smtp_tls_session_cache_database = $smtpd_tls_session_cache_database")
    assert "expected another database" in _faults(healthy)["configuration"]


def test_owner_and_mode_of_directories(healthy: Sandbox) -> None:
    """Nobody else may write where secrets are, or read a store."""
    with _mode(healthy.data, 0o777), _mode(healthy.data / "smtpd_scache", 0o755):
        faults = _faults(healthy)

    assert faults.keys() == {"data_directory", "store of smtpd"}
    assert f"chmod 0755 {healthy.data}" in faults["data_directory"]
    assert "chmod 0700" in faults["store of smtpd"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else(healthy: Sandbox) -> None:
    """A database in one is redirected, as Postfix does it."""
    other = healthy.root / "other"
    other.mkdir()
    os.chown(other, pwd.getpwnam("nobody").pw_uid, -1)
    _configure(healthy, f"lmtp_tls_session_cache_database = btree:{other}/lmtp")

    assert "lmtp" in _faults(healthy)["store of lmtp"]


def test_the_socket_for_postfix(healthy: Sandbox) -> None:
    """It must let the mail owner in, and be there: a link would lead out of smtpd's jail."""
    with _mode(healthy.postfix_socket, 0o000):
        assert "do not let" in _faults(healthy)["socket access"]
    moved = healthy.postfix_socket.rename(healthy.root / "moved")
    try:
        healthy.postfix_socket.symlink_to(moved)
        assert "is no socket" in _faults(healthy)["socket access"]
    finally:
        healthy.postfix_socket.unlink()
        moved.rename(healthy.postfix_socket)


def test_a_left_over_database(healthy: Sandbox) -> None:
    """What Postfix's own tlsmgr left holds sessions that nothing seals."""
    left = healthy.data / "old_scache.db"
    left.touch()
    _configure(healthy, f"lmtp_tls_session_cache_database = btree:{healthy.data}/old_scache")

    assert str(left) in _faults(healthy)["former database of lmtp"]


def test_a_store_that_was_set_aside(healthy: Sandbox) -> None:
    """The log of that time says why."""
    aside = healthy.data / "smtp_scache.damaged-20260101T000000Z"
    aside.mkdir()
    try:
        assert str(aside) in _faults(healthy)["store of smtp"]
    finally:
        aside.rmdir()


def test_a_clock_that_was_set_back(healthy: Sandbox) -> None:
    """A file is from the future then."""
    tomorrow = time.time() + 86400
    os.utime(healthy.main_cf, (tomorrow, tomorrow))

    assert "in the future" in _faults(healthy)["clock"]


def test_a_limit_that_is_near(healthy: Sandbox) -> None:
    """Nine tenths of it are near."""
    with healthy.client() as client:
        for number in range(9):
            assert client.update(CacheType.SMTP, b"%d" % number, b"session")
    _configure(healthy, "tlsmgr_session_cache_entry_limit = 10")

    faults = _faults(healthy)

    assert faults.keys() == {"entries of smtp"}
    assert "9 entries, of 10 at most -> raise tlsmgr_session_cache_entry_limit" in faults["entries of smtp"]


def test_an_entropy_source_that_fails(sandbox: Sandbox) -> None:
    """Seeds are as good as before, but nobody may notice else."""
    sandbox.configure(f"tls_random_source = dev:{sandbox.root}/missing")
    sandbox.start("prng-server")

    assert "missing is failing" in _faults(sandbox)["entropy source"]


def _hook_up(sandbox: Sandbox, *lines: str, master_cf: str = _MASTER_CF) -> None:
    require(None if program("postconf") else "not installed: postconf", environment=os.environ)
    (sandbox.etc / "master.cf").write_text(master_cf)
    _configure(sandbox, "compatibility_level = 3.6", *lines)


def test_a_postfix_that_does_not_ask_us(healthy: Sandbox) -> None:
    """By its main.cf, or by an option in master.cf; and its own socket's name is not for us."""
    _hook_up(healthy, "tlsmgr_service_name = other")
    (healthy.etc / "tlsmgr.cf").write_text("tlsmgr_service_name = tlsmgr\n")
    faults = _faults(healthy)
    assert "Postfix asks other, not our socket" in faults["tlsmgr_service_name"]
    assert "set another name" in faults["socket name"]

    _hook_up(healthy, master_cf=_MASTER_CF.replace("smtpd", "smtpd -o tlsmgr_service_name=elsewhere"))
    assert "elsewhere" in _faults(healthy)["tlsmgr_service_name of smtp/inet"]


def test_parameters_that_postfix_reads_otherwise(healthy: Sandbox) -> None:
    """A value in tlsmgr.cf, or an option of Postfix's own tlsmgr in master.cf."""
    _hook_up(healthy, master_cf=f"{_MASTER_CF}tlsmgr unix - - y 1000? 1 tlsmgr -o tls_random_bytes=99\n")
    (healthy.etc / "tlsmgr.cf").write_text("smtpd_tls_session_cache_timeout = 2h\n")

    faults = _faults(healthy)

    assert "= 2h" in faults["parameter smtpd_tls_session_cache_timeout"]
    assert "Postfix reads 3600s" in faults["parameter smtpd_tls_session_cache_timeout"]
    assert "tls_random_bytes=99" in faults["parameter tls_random_bytes"]


@pytest.mark.parametrize(
    ("master_cf", "lines", "fault"),
    [
        (_MASTER_CF.replace("smtpd", "smtpd -o x=y -vv"), (), "-v for smtp/inet"),
        (_MASTER_CF, ("debug_peer_list = 192.0.2.1",), "debug_peer_list = 192.0.2.1"),
    ],
)
def test_a_postfix_that_logs_seeds(
    healthy: Sandbox, master_cf: str, lines: tuple[str, ...], fault: str
) -> None:
    """Verbose programs log what tlsmgr sends them."""
    _hook_up(healthy, *lines, master_cf=master_cf)

    assert fault in _faults(healthy)["verbose Postfix programs"]


def test_a_postfix_of_another_queue(healthy: Sandbox) -> None:
    """The socket would not be where smtpd looks."""
    _hook_up(healthy)
    (healthy.etc / "tlsmgr.cf").write_text(f"queue_directory = {healthy.root}\n")

    assert "make them the same" in _faults(healthy)["queue directory"]
