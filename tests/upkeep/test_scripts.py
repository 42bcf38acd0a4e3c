"""What cron calls: quiet when all is well, clear when not, with running workers and with stopped ones."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from tests.upkeep.scripts import NAMES, call, call_quietly
from tlsmgr.client import CacheType
from tlsmgr.errors import ExitCode
from tlsmgr.service.ticket_keys import rotation_mark
from tlsmgr.tickets import TicketKey
from tlsmgr.upkeep.history import History

pytestmark = pytest.mark.system

_ENTRIES = 3000
_SESSION = b"s" * 400


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox, and end whatever still runs in it."""
    with Sandbox() as made:
        yield made


def _start(sandbox: Sandbox) -> None:
    for name in ("prng-server", "cache-server", "expiry-sweeper"):
        sandbox.start(name)


def _stop(sandbox: Sandbox) -> None:
    for worker in sandbox.workers:
        assert worker.stop() == ExitCode.OK
    sandbox.workers.clear()


def _database(sandbox: Sandbox) -> Path:
    return sandbox.data / "smtpd_scache" / "cache.db"


def _fill(sandbox: Sandbox, number: int = 1) -> None:
    with sandbox.client() as client:
        for place in range(number):
            assert client.update(CacheType.SMTPD, b"id %d" % place, _SESSION)


def _change(sandbox: Sandbox, statement: str) -> None:
    """Change a database behind the back of whoever has it open."""
    with closing(sqlite3.connect(_database(sandbox), timeout=5.0)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_is_for(sandbox: Sandbox, name: str) -> None:
    """With --help, without touching anything."""
    done = call(sandbox, name, "--help")

    assert done.returncode == ExitCode.OK
    assert done.stdout.startswith(f"usage: {name}")
    assert not sandbox.run.exists()


@pytest.mark.parametrize("name", NAMES)
def test_none_runs_twice_at_once(sandbox: Sandbox, name: str) -> None:
    """The second one says whose lock it is, and does nothing."""
    sandbox.run.mkdir(mode=0o700)
    lock = sandbox.run / f"{name}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = call(sandbox, name, *([sandbox.root / "out"] if name == "export-metrics" else []))

    assert done.returncode == ExitCode.ADDRESS_IN_USE
    assert done.stderr == f"{name}: {lock}: an earlier {name} is still at work; its pid is in that file\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_configuration_is_one_line(sandbox: Sandbox, name: str) -> None:
    """With the place and the parameter; no traceback."""
    sandbox.configure("tls_random_bytes = many")
    done = call(sandbox, name, *([sandbox.root / "out"] if name == "export-metrics" else []))

    assert done.returncode == ExitCode.CONFIGURATION
    assert done.stderr.startswith(f"{name}: {sandbox.main_cf}:7: tls_random_bytes")
    assert len(done.stderr.splitlines()) == 1


def test_sweep_now(sandbox: Sandbox) -> None:
    """Expired sessions go and others stay, by the sweeper's hand and without it."""
    for stopped in (False, True):
        _start(sandbox)
        _fill(sandbox, 2)
        if stopped:
            _stop(sandbox)
        _change(sandbox, "UPDATE Cache SET expire_time = 1.0 WHERE key = CAST('id 0' AS BLOB)")
        call_quietly(sandbox, "sweep-now")
        with closing(sqlite3.connect(_database(sandbox))) as connection:
            assert connection.execute("SELECT key FROM Cache").fetchall() == [(b"id 1",)]
        _stop(sandbox)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE Cache SET mode = 4", "1 rows were not written by this program"),
        ("UPDATE Cache SET value = CAST('plain' AS BLOB)", "1 sessions are not sealed; run: tlsmgr revoke"),
        ("CREATE TABLE Odd (a)", "it holds 'Odd', which this program did not write"),
    ],
)
def test_verify_store_finds_what_is_not_ours(sandbox: Sandbox, statement: str, complaint: str) -> None:
    """A foreign row, a session in the clear, a foreign table: with running workers and with stopped ones."""
    _start(sandbox)
    _fill(sandbox)
    call_quietly(sandbox, "verify-store")
    _stop(sandbox)
    call_quietly(sandbox, "verify-store")
    _change(sandbox, statement)
    done = call(sandbox, "verify-store")

    assert done.returncode == ExitCode.NOT_DONE
    assert done.stderr.startswith(f"verify-store: session store {_database(sandbox).parent}: ")
    assert complaint in done.stderr


def test_verify_store_finds_damage_and_what_was_set_aside(sandbox: Sandbox) -> None:
    """Overwritten pages; and, once the cache server has begun a new store, the directory of the old one."""
    _start(sandbox)
    _fill(sandbox, _ENTRIES)
    _stop(sandbox)
    with _database(sandbox).open("r+b") as database:
        database.seek(8192)
        database.write(b"\xff" * 200_000)
    done = call(sandbox, "verify-store")
    assert done.returncode == ExitCode.NOT_DONE
    assert "smtpd_scache" in done.stderr
    assert "Traceback" not in done.stderr

    (sandbox.data / "smtpd_scache.damaged-20260101T000000Z").mkdir()
    assert "smtpd_scache.damaged-20260101T000000Z: was set aside" in call(sandbox, "verify-store").stderr


def test_verify_store_minds_the_limits(sandbox: Sandbox) -> None:
    """More entries than the limit, as after an edit of main.cf that nobody acts on."""
    _start(sandbox)
    _fill(sandbox, 200)
    sandbox.configure("tlsmgr_session_cache_entry_limit = 100")

    assert "it holds 200 entries, more than the limit of 100" in call(sandbox, "verify-store").stderr


def test_compact_store(sandbox: Sandbox) -> None:
    """The file shrinks once everybody is stopped, to what it holds; nothing of that is lost."""
    _start(sandbox)
    _fill(sandbox, _ENTRIES)
    call_quietly(sandbox, "compact-store")
    _stop(sandbox)
    _change(sandbox, "DELETE FROM Cache WHERE rowid > 1")
    before = _database(sandbox).stat().st_size
    call_quietly(sandbox, "compact-store")

    assert _database(sandbox).stat().st_size < before // 10
    assert _database(sandbox).stat().st_mode & 0o777 == 0o600
    call_quietly(sandbox, "verify-store")
    with closing(sqlite3.connect(_database(sandbox))) as connection:
        assert connection.execute("SELECT key FROM Cache").fetchall() == [(b"id 0",)]
        assert connection.execute("PRAGMA auto_vacuum").fetchall() == [(2,)]


def _key(sandbox: Sandbox, name: bytes = b"") -> TicketKey | None:
    with sandbox.client() as client:
        packed = client.ticket_key(name)
    return None if packed is None else TicketKey.unpack(packed)


def test_rotate_ticket_keys(sandbox: Sandbox) -> None:
    """There is another key to encrypt with, and the former one decrypts; also when told while stopped."""
    sandbox.start("prng-server")
    sandbox.start("cache-server")
    first = _key(sandbox)
    assert first is not None
    call_quietly(sandbox, "rotate-ticket-keys")
    second = _key(sandbox)
    assert second is not None
    assert second.name != first.name
    assert _key(sandbox, first.name) is not None

    assert sandbox.workers.pop().stop() == ExitCode.OK
    call_quietly(sandbox, "rotate-ticket-keys")
    sandbox.start("cache-server")
    third = _key(sandbox)
    assert third is not None
    assert third.name not in (first.name, second.name)
    assert _key(sandbox, second.name) is not None


def test_the_mark_of_a_rotation_is_not_made_through_a_symbolic_link(sandbox: Sandbox) -> None:
    """The link itself is the mark: nothing is made where it leads to."""
    mark = rotation_mark(sandbox.data)
    mark.symlink_to(sandbox.root / "elsewhere")
    for _ in range(2):
        call_quietly(sandbox, "rotate-ticket-keys")
    assert mark.is_symlink()
    assert not (sandbox.root / "elsewhere").exists()


def test_rotate_ticket_keys_says_when_there_are_none(sandbox: Sandbox) -> None:
    """A timeout of 0 means no tickets."""
    sandbox.configure("smtpd_tls_session_cache_timeout = 0")
    sandbox.start("cache-server")
    done = call(sandbox, "rotate-ticket-keys")

    assert done.returncode == ExitCode.NOT_DONE
    assert "smtpd_tls_session_cache_timeout is 0" in done.stderr


def test_export_metrics_says_when_nobody_answers(sandbox: Sandbox) -> None:
    """In the file as well, for whoever looks at it."""
    output = sandbox.root / "tlsmgr.prom"
    done = call(sandbox, "export-metrics", output)

    assert done.returncode == ExitCode.NOT_DONE
    assert str(output) in done.stderr
    assert "\ntlsmgr_export_success 0\n" in output.read_text()
    assert [each.silent for each in History(sandbox.data).load()] != []


def test_export_metrics_says_where_it_may_not_write(sandbox: Sandbox) -> None:
    """A directory that is not there."""
    done = call(sandbox, "export-metrics", "/nowhere/tlsmgr.prom")

    assert done.returncode == ExitCode.HOST
    assert done.stderr.startswith("export-metrics: cannot write /nowhere/tlsmgr.prom: No such file")


def test_daily_report(sandbox: Sandbox) -> None:
    """Text or a page, with figures; a worker that does not answer is named, and is a failure."""
    _start(sandbox)
    text = call(sandbox, "daily-report")
    page = call(sandbox, "daily-report", "--html")
    assert (text.returncode, text.stderr) == (0, "")
    assert "smtpd hit rate" in text.stdout
    assert page.stdout.startswith("<!DOCTYPE html>")

    _stop(sandbox)
    done = call(sandbox, "daily-report")
    assert done.returncode == ExitCode.NOT_DONE
    assert "daily-report: cache-server does not answer; see: tlsmgr ping" in done.stderr
    assert "smtpd hit rate" in done.stdout
