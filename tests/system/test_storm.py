"""Many clients at once, and clients that do not read: nobody is turned away, nobody else notices."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from storming.process_figures import descriptors, resident_mebibytes
from storming.silent import silent_clients
from storming.storm import compiled, storm
from tlsmgr.messages import CacheType, PolicyRequest, Verb

pytestmark = pytest.mark.system

CLIENTS = 2000
SILENT = 60


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, RunningWorker]]:
    """Run the two workers that answer Postfix."""
    with Sandbox() as sandbox:
        sandbox.start("prng-server")
        yield sandbox, sandbox.start("cache-server")


def connections(sandbox: Sandbox, what: str) -> int:
    """Return one of the figures about the connections of the socket for Postfix."""
    with sandbox.client() as client:
        figures = client.call("stats")
    assert isinstance(figures, dict)
    return int(figures["connections"]["postfix"][what])


def test_two_thousand_clients_at_once(served: tuple[Sandbox, RunningWorker], tmp_path: Path) -> None:
    """Each is let in and answered, and all that they took is given back."""
    sandbox, worker = served
    program = compiled(tmp_path)
    storm(program, sandbox.postfix_socket, clients=1, requests=3)
    wait_for("end of the connection", lambda: connections(sandbox, "open") == 0)
    before = descriptors(worker.pid)

    figures = storm(program, sandbox.postfix_socket, clients=CLIENTS, requests=4)

    assert figures.errors == 0
    # scripts/storm tells how long it takes; here the machine may be busy with anything.
    assert figures.answer.p99 < 2000
    wait_for("end of the connections", lambda: connections(sandbox, "open") == 0)
    wait_for("descriptors as before", lambda: descriptors(worker.pid) <= before)
    assert connections(sandbox, "accepted") > CLIENTS


def test_clients_that_do_not_read_cost_little_and_disturb_nobody(
    served: tuple[Sandbox, RunningWorker],
) -> None:
    """Each asks for 10 MB and takes none of it; what is held for them is bounded, others are answered."""
    sandbox, worker = served
    before = resident_mebibytes(worker.pid)
    with silent_clients(sandbox.postfix_socket, SILENT), AttributeClient(sandbox.postfix_socket) as other:
        wait_for("clients that do not read", lambda: connections(sandbox, "open") == SILENT + 1)
        slowest = 0.0
        for _ in range(100):
            started = time.monotonic()
            other.ask(PolicyRequest(cache_type=CacheType.SMTPD), Verb.POLICY)
            slowest = max(slowest, time.monotonic() - started)
        grown = resident_mebibytes(worker.pid) - before

    assert slowest < 1.0
    assert grown < SILENT * 0.5
