"""What doctor makes of a supervisord: a real one, a hung one, none, and one of somebody else's."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.altered_checkout import altered_checkout
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from rehearsal.workers import Workers
from tlsmgr.doctor.findings import Outcome
from tlsmgr.doctor.supervision import Program, supervision_of
from tlsmgr.doctor.supervisor_checks import finding_of
from tlsmgr.errors import ExitCode

_LISTENER = "supervised tlsmgr-health"


@pytest.fixture(scope="module")
def supervised() -> Iterator[tuple[Sandbox, Workers]]:
    """Give workers that a supervisord runs, whose configuration is in a directory of its own."""
    with Sandbox() as sandbox, Workers(sandbox.root / "s", config_directory=sandbox.etc) as workers:
        _await(workers, "tlsmgr-health", "RUNNING")
        yield sandbox, workers


def _await(workers: Workers, name: str, state: str) -> None:
    wait_for(state, lambda: state in workers.status(name), seconds=40.0, evidence=workers.logs)


def _found(sandbox: Sandbox, workers: Workers) -> dict[str, dict[str, Any]]:
    file = str(workers.directory / "supervisord.conf")
    lines = sandbox.command("doctor", "--json", "-s", file).stdout.splitlines()
    return {each["name"]: each for each in map(json.loads, lines) if each["name"].startswith("superv")}


@pytest.mark.system
def test_all_four_run(supervised: tuple[Sandbox, Workers]) -> None:
    """Each is a line, and well."""
    found = _found(*supervised)

    assert len(found) == 4
    assert {each["outcome"] for each in found.values()} == {"ok"}


@pytest.mark.system
def test_the_socket_beside_main_cf_is_found_by_itself(supervised: tuple[Sandbox, Workers]) -> None:
    """As scripts/run makes it."""
    sandbox, workers = supervised
    (sandbox.etc / "supervisor.sock").symlink_to(workers.directory / "supervisor.sock")
    try:
        assert "ok       supervised tlsmgr:cache-server: RUNNING" in sandbox.command("doctor").stdout.decode()
    finally:
        (sandbox.etc / "supervisor.sock").unlink()


@pytest.mark.system
def test_what_is_stopped_is_told_with_what_starts_it(supervised: tuple[Sandbox, Workers]) -> None:
    """A worker is a failure; without their listener the workers go on, so that is a warning."""
    sandbox, workers = supervised
    workers.control("stop", "tlsmgr-health")
    try:
        with workers.stopped("expiry-sweeper"):
            found = _found(sandbox, workers)
    finally:
        workers.control("start", "tlsmgr-health")
    worker = found["supervised tlsmgr:expiry-sweeper"]
    assert (worker["outcome"], found[_LISTENER]["outcome"]) == ("failed", "warning")
    assert worker["advice"].endswith("supervisorctl start tlsmgr:expiry-sweeper")


@pytest.mark.system
def test_what_fails_at_each_start_is_told_with_its_log() -> None:
    """It is FATAL; on a busy host that takes a start that may last."""
    changes = {"startsecs = 1": "startsecs = 10", "startretries = 5": "startretries = 1"}
    with Sandbox() as sandbox:
        checkout = altered_checkout(sandbox.root / "checkout", changes)
        with Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout) as workers:
            os.kill(workers.pid("expiry-sweeper"), signal.SIGKILL)
            sandbox.socket("expiry-sweeper").unlink()
            sandbox.socket("expiry-sweeper").mkdir()
            _await(workers, "tlsmgr:expiry-sweeper", "FATAL")
            fatal = _found(sandbox, workers)["supervised tlsmgr:expiry-sweeper"]
            assert fatal["outcome"] == "failed"
            assert f"{workers.directory}/expiry-sweeper.log says why" in fatal["advice"]


@pytest.mark.parametrize(
    ("state", "exit_code", "advice"),
    [
        ("BACKOFF", 0, "it is tried again by itself, a few times; LOG says why it ends"),
        ("FATAL", 0, "it is not tried any more: LOG says why"),
        ("STOPPED", 0, "somebody stopped it; supervisorctl start tlsmgr:cache-server"),
        ("EXITED", 78, "LOG names file, line and parameter"),
        ("EXITED", 80, "it crashed again and again"),
        ("EXITED", 1, "LOG says why; supervisorctl start tlsmgr:cache-server"),
        ("UNKNOWN", 0, "LOG says why"),
    ],
)
def test_every_state_that_is_not_well_has_an_advice(state: str, exit_code: int, advice: str) -> None:
    """It names the log, and the command that starts the worker."""
    program = Program(state=state, text="...", exit_code=exit_code, log="LOG")

    finding = finding_of("tlsmgr:cache-server", program, "/etc/supervisord.conf")

    assert finding.outcome is Outcome.FAILED
    assert finding.advice.startswith(advice)


def test_a_program_that_supervisord_does_not_know() -> None:
    """As when only some of supervisord.conf was copied."""
    finding = finding_of("tlsmgr-health", None, "/etc/supervisord.conf")

    assert finding.outcome is Outcome.WARNING
    assert "supervisorctl update" in finding.advice


@pytest.mark.system
def test_a_bad_configuration_is_told_by_its_exit_code(supervised: tuple[Sandbox, Workers]) -> None:
    """It is EXITED, which says little by itself."""
    sandbox, workers = supervised
    name = "tlsmgr:expiry-sweeper"
    with workers.stopped("expiry-sweeper"):
        sandbox.configure("tls_random_bytes = -1")
        workers.control("start", name)
        _await(workers, name, "EXITED")
        sandbox.configure()
        exited = _found(sandbox, workers)[f"supervised {name}"]
    assert f"EXITED with code {ExitCode.CONFIGURATION:d}" in exited["text"]
    assert "names file, line and parameter" in exited["advice"]


@pytest.mark.system
def test_a_hung_supervisord_is_not_waited_for(supervised: tuple[Sandbox, Workers]) -> None:
    """It is a warning: the workers may be well."""
    sandbox, workers = supervised
    pid = int(workers.control("pid"))
    os.kill(pid, signal.SIGSTOP)
    try:
        found = _found(sandbox, workers)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (found["supervisord"]["outcome"], len(found)) == ("warning", 1)
    assert "no answer within 2 s" in found["supervisord"]["text"]


def test_none_is_no_fault(tmp_path: Path) -> None:
    """Workers may be run by something else; a file that is named must be there, however."""
    seen = supervision_of(tmp_path, tmp_path / "missing.conf")

    assert "could not find config file" in seen.trouble


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.0 401 Unauthorized\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<x/>",
        b"HTTP/1.0 200 OK\r\n\r\nno",
        b"\xff",
    ],
)
def test_who_is_no_supervisord_is_a_trouble_and_no_traceback(tmp_path: Path, answer: bytes) -> None:
    """Whatever listens there, and whatever it says."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "supervisor.sock"))
        listener.listen()
        listener.settimeout(10.0)
        server = threading.Thread(target=_answer_once, args=(listener, answer))
        server.start()
        seen = supervision_of(tmp_path, None)
        server.join()
    assert seen.trouble
    assert not seen.programs


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    connected, _ = listener.accept()
    with connected:
        connected.recv(65536)
        connected.sendall(answer)
