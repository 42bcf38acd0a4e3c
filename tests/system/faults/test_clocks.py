"""The clock is set, or the machine sleeps, while real workers run."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.system.faults.claims import check_what_is_always_answered, found, is_found, save
from tests.system.shim import Shim
from tlsmgr.cli.workers import WORKERS
from tlsmgr.tickets import TicketKey

pytestmark = pytest.mark.system

IDS = [b"id %d" % number for number in range(10)]
TIMEOUT = 3600
HOURS = 3600


class Clocked:
    """The three workers, and the hand on their clock."""

    def __init__(self, sandbox: Sandbox, shim: Shim) -> None:
        self.sandbox = sandbox
        self._shim = shim
        self._offset = 0
        sandbox.configure(
            f"smtpd_tls_session_cache_timeout = {TIMEOUT}s", "tls_random_prng_update_period = 1s"
        )
        self.workers = [sandbox.start(name, **shim.environment) for name in reversed(WORKERS)]

    def set(self, offset: int) -> None:
        """Have the clock be off by so many seconds."""
        self._offset = offset
        self._shim.use(clock_seconds=offset)

    def swept(self) -> None:
        """Have everything swept that the clock says has expired."""
        assert self.sandbox.command("sweep").returncode == 0

    def ticket_key(self) -> TicketKey:
        """Return the key to encrypt with, which must end within half a timeout by the workers' clock."""
        with self.sandbox.client() as client:
            packed = client.ticket_key()
        assert packed is not None
        key = TicketKey.unpack(packed)
        assert 0 < key.encrypts_until - (time.time() + self._offset) <= TIMEOUT
        return key


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clocked]:
    """Run the workers under a clock that can be set."""
    shim = Shim(tmp_path_factory.mktemp("shim"))
    with Sandbox(caches=("smtpd",)) as sandbox:
        yield Clocked(sandbox, shim)


@pytest.fixture
def clocked(workers: Clocked) -> Clocked:
    """Give the workers with a right clock and fresh sessions."""
    workers.set(0)
    assert all(save(workers.sandbox, cache_id) for cache_id in IDS)
    return workers


def test_clock_set_back(clocked: Clocked) -> None:
    """Nothing is lost; a ticket key from the future is replaced at once; the schedules go on."""
    before = clocked.ticket_key()
    clocked.set(-2 * HOURS)
    check_what_is_always_answered(clocked.sandbox)
    assert clocked.ticket_key() != before
    clocked.swept()
    assert found(clocked.sandbox, IDS) == IDS
    assert save(clocked.sandbox, b"in the past")
    assert is_found(clocked.sandbox, b"in the past")
    check_schedule(clocked.sandbox)
    clocked.set(0)
    assert found(clocked.sandbox, IDS) == IDS
    assert not is_found(clocked.sandbox, b"in the past")
    clocked.ticket_key()


def test_clock_set_forward(clocked: Clocked) -> None:
    """What is over by the clock is over; what was saved meanwhile is found when it is set right."""
    before = clocked.ticket_key()
    clocked.set(2 * HOURS)
    check_what_is_always_answered(clocked.sandbox)
    assert clocked.ticket_key() != before
    assert found(clocked.sandbox, IDS) == []
    assert save(clocked.sandbox, b"in the future")
    check_schedule(clocked.sandbox)
    clocked.set(0)
    clocked.swept()
    assert is_found(clocked.sandbox, b"in the future")
    assert found(clocked.sandbox, IDS) == IDS
    clocked.ticket_key()


def test_clock_set_forward_by_less_than_a_session_lives(clocked: Clocked) -> None:
    """Nothing is swept that had more than the step to live."""
    clocked.set(TIMEOUT // 2)
    clocked.swept()
    assert found(clocked.sandbox, IDS) == IDS
    clocked.set(TIMEOUT + 60)
    clocked.swept()
    clocked.set(0)
    assert found(clocked.sandbox, IDS) == []


def test_suspended_machine(clocked: Clocked) -> None:
    """After hours of sleep what has expired is not served, and all goes on at once."""
    for worker in clocked.workers:
        worker.signal(signal.SIGSTOP)
    clocked.set(3 * HOURS)
    for worker in clocked.workers:
        worker.signal(signal.SIGCONT)
    check_what_is_always_answered(clocked.sandbox)
    assert found(clocked.sandbox, IDS) == []
    assert save(clocked.sandbox, b"awake")
    assert is_found(clocked.sandbox, b"awake")
    check_schedule(clocked.sandbox)


def check_schedule(sandbox: Sandbox) -> None:
    """See that what is done once a second is still done."""
    path = Path(sandbox.data, "prng_exch")
    before = path.read_bytes()
    wait_for("update of the exchange file", lambda: path.read_bytes() != before)
