"""The options that master(5) gives every Postfix daemon, on ``tlsmgr serve``."""

import os
import pwd
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tlsmgr.client import CacheType
from tlsmgr.errors import ExitCode
from tlsmgr.prng.exchange_file import EXCHANGE_SIZE
from tlsmgr.processes.kinds import KINDS

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot and give up rights")
JAILED_OWNER = "nobody"
WORKERS = ("prng-server", "cache-server", "expiry-sweeper")


@pytest.fixture
def jail() -> Iterator[Sandbox]:
    """Give a sandbox of another user, with its sockets below the queue directory."""
    with Sandbox(owner=JAILED_OWNER) as made:
        made.run = made.queue / "private" / "run"
        made.configure(f"tlsmgr_run_directory = {made.run}", "tls_random_prng_update_period = 2")
        yield made


def user_of(worker: RunningWorker) -> str:
    """Return the name of the user that a process runs as."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("Uid:"))
    uids = set(line.split()[1:])
    assert len(uids) == 1, "real, effective, saved and file system user differ"
    return pwd.getpwuid(int(uids.pop())).pw_name


@needs_root
def test_all_three_workers_work_in_a_chroot_jail_without_roots_rights(jail: Sandbox) -> None:
    """With -c and -u they have the queue directory as root, run as $mail_owner, and answer."""
    workers = [jail.start(name, "-c", "-u") for name in WORKERS]
    for worker in workers:
        assert user_of(worker) == JAILED_OWNER
        assert Path(f"/proc/{worker.pid}/root").readlink() == jail.queue
    with jail.client() as client:
        assert client.update(CacheType.SMTPD, b"id", b"session")
        assert client.lookup(CacheType.SMTPD, b"id") == b"session"
        assert len(client.seed(32)) == 32
    with jail.client("expiry-sweeper") as client:
        client.call("sweep")
    exchange_file = jail.data / "prng_exch"
    wait_for(
        "exchange file", lambda: exchange_file.exists() and exchange_file.stat().st_size == EXCHANGE_SIZE
    )
    assert all(worker.stop() == ExitCode.OK for worker in workers)
    assert [path for path in jail.root.rglob("*") if path.is_socket()] == []


@needs_root
@pytest.mark.parametrize("name", WORKERS)
@pytest.mark.parametrize("below_the_queue", [True, False])
def test_a_jailed_worker_leaves_no_socket_behind(jail: Sandbox, name: str, *, below_the_queue: bool) -> None:
    """SIGTERM removes the files of its sockets, wherever the jail is."""
    if not below_the_queue:
        jail.run = jail.data / "run"
        jail.configure()
    worker = jail.start(name, "-c")
    assert jail.socket(name).is_socket()
    assert worker.stop() == ExitCode.OK
    assert [path for path in jail.root.rglob("*") if path.is_socket()] == []
    assert "cannot remove" not in worker.log


@needs_root
@pytest.mark.parametrize("name", WORKERS)
def test_a_jailed_worker_says_at_sighup_that_it_must_be_restarted(jail: Sandbox, name: str) -> None:
    """It cannot read main.cf, goes on as it was, and names the command that helps."""
    worker = jail.start(name, "-c")
    jail.configure("smtpd_tls_session_cache_timeout = 2h", f"tlsmgr_run_directory = {jail.run}")
    worker.signal(signal.SIGHUP)
    worker.wait_for_log(f"supervisorctl restart tlsmgr:{name}")
    with jail.client(name) as client:
        client.call("ping")
    assert "error" not in worker.log


@needs_root
@pytest.mark.parametrize("is_in_jail", [True, False])
def test_a_jailed_worker_outlives_a_fault_of_its_store(jail: Sandbox, *, is_in_jail: bool) -> None:
    """A database that is out of reach for a moment; the jail has it below its root, or not at all."""
    base = jail.queue / "private" if is_in_jail else jail.data
    jail.configure(
        f"tlsmgr_run_directory = {jail.run}", f"smtpd_tls_session_cache_database = diskcache:{base}/store"
    )
    jail.start("cache-server", "-c")
    jail.start("expiry-sweeper", "-c")
    database = base / "store" / "cache.db"
    with jail.client() as client, jail.client("expiry-sweeper") as sweeper:

        def is_swept() -> bool:
            answer = sweeper.call("sweep")
            assert isinstance(answer, dict)
            return not answer["failures"]

        wait_for("sweep", is_swept)
        assert client.update(CacheType.SMTPD, b"id", b"session")
        away = database.rename(base / "away")
        assert not client.update(CacheType.SMTPD, b"id", b"another")
        assert not is_swept()
        away.rename(database)
        wait_for("update", lambda: client.update(CacheType.SMTPD, b"id", b"another"))
        wait_for("sweep", is_swept)


@needs_root
def test_a_jailed_cache_server_finds_a_prng_server_that_was_restarted(jail: Sandbox) -> None:
    """Sockets below the queue directory are within reach of the jail."""
    prng_server = jail.start("prng-server", "-c")
    jail.start("cache-server", "-c")
    prng_server.signal(signal.SIGKILL)
    prng_server.wait()
    jail.start("prng-server", "-c")
    with jail.client() as client:

        def comes_from_the_pool() -> bool:
            client.seed(1)
            figures = client.call("stats")
            assert isinstance(figures, dict)
            return bool(figures["seeds"]["pool"])

        wait_for("seed from the pool", comes_from_the_pool)


def test_version_names_service_and_overrides_are_taken(sandbox: Sandbox) -> None:
    """-n, -o, -t unix, -v and -V do what master(5) says."""
    sandbox.configure("syslog_name = ${service_name}")
    options = ("-n", "my-name", "-o", "smtpd_tls_session_cache_timeout=2h", "-t", "unix", "-v", "-v", "-V")
    worker = sandbox.start("cache-server", *options)
    with sandbox.client() as client:
        assert client.policy(CacheType.SMTPD).timeout == 7200
    worker.wait_for_log("my-name/cache-server[")


@pytest.mark.parametrize(
    ("options", "reason"), [(("-D",), "attach one to its pid"), (("-t", "inet"), "of the type unix")]
)
def test_what_makes_no_sense_under_supervisord_is_refused_with_a_reason(
    sandbox: Sandbox, options: tuple[str, ...], reason: str
) -> None:
    """The command ends with EX_USAGE and says why."""
    done = sandbox.command("serve", "cache-server", *options)
    assert done.returncode == ExitCode.USAGE
    assert reason in done.stderr.decode()


def test_every_worker_is_jailed_in_these_tests() -> None:
    """A new worker gets its place in the list above."""
    assert set(WORKERS) == set(KINDS)
