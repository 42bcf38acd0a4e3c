"""The figures over HTTP: whatever happens there, the sweeper goes on."""

import os
import pwd
import signal
import socket
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from rehearsal.loopback import HOST, free_port
from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import UNPRIVILEGED_USER, Sandbox
from rehearsal.waiting import wait_for


def _scrape(port: int, host: str = HOST) -> str:
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as response:
        return str(response.read(), "utf-8")


def _start(sandbox: Sandbox, address: str) -> RunningWorker:
    sandbox.configure(f"tlsmgr_metrics_address = {address}")
    return sandbox.start("expiry-sweeper")


def _reload(sandbox: Sandbox, worker: RunningWorker, address: str, says: str) -> None:
    sandbox.configure(f"tlsmgr_metrics_address = {address}")
    worker.signal(signal.SIGHUP)
    worker.wait_for_log(says)


def _is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def test_by_default_nobody_listens(sandbox: Sandbox) -> None:
    """No port is opened on a host that did not ask for one."""
    worker = sandbox.start("expiry-sweeper")
    assert "Prometheus" not in worker.log


def test_an_address_that_is_taken_is_a_warning_until_it_is_free(sandbox: Sandbox) -> None:
    """Sweeping does not depend on it."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        worker = _start(sandbox, f":{port}")
        assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in worker.log
        with sandbox.client("expiry-sweeper") as client:
            assert client.call("sweep")
    _reload(sandbox, worker, f":{port}", f"http://127.0.0.1:{port}/metrics")
    assert 'tlsmgr_up{worker="expiry-sweeper"} 1.0' in _scrape(port)


def test_another_address_is_used_after_a_sighup(sandbox: Sandbox) -> None:
    """The former one is not served any more; and none at all, if there is to be none."""
    first, second = free_port(), free_port()
    worker = _start(sandbox, f":{first}")
    assert _scrape(first)
    _reload(sandbox, worker, f"127.0.0.1:{second}", f"http://127.0.0.1:{second}/metrics")
    assert _is_closed(first)
    assert _scrape(second)
    sandbox.configure()
    worker.signal(signal.SIGHUP)
    wait_for("end of the endpoint", lambda: _is_closed(second))


def test_clients_that_say_nothing_or_no_http_are_in_nobodys_way(sandbox: Sandbox) -> None:
    """The sweeper answers its own socket at once, and scrapes are answered when they are gone."""
    port = free_port()
    worker = _start(sandbox, f":{port}")
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection((HOST, port)))
        with sandbox.client("expiry-sweeper") as client:
            assert client.call("sweep")
    for garbage in (b"\0" * 100_000, b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.0\r\n\r\n"):
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
    assert "tlsmgr_up" in _scrape_when_there_is_room(port)
    assert "Traceback" not in worker.log


def test_an_ipv6_address_is_one_too(sandbox: Sandbox) -> None:
    """In brackets, as in a URL."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as probe:
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("this host has no IPv6 loopback address")
    _start(sandbox, f"[::1]:{port}")
    assert "tlsmgr_up" in _scrape(port, "[::1]")


def _scrape_when_there_is_room(port: int) -> str:
    def attempt() -> str:
        try:
            return _scrape(port)
        except OSError:
            return ""

    return wait_for("scrape", attempt)


def test_without_the_library_there_is_a_warning_and_the_sweeper_runs(sandbox: Sandbox) -> None:
    """It says what to install, and what to do then."""
    broken = sandbox.root / "broken" / "prometheus_client"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('not today')")
    sandbox.configure(f"tlsmgr_metrics_address = :{free_port()}")
    worker = sandbox.start("expiry-sweeper", PYTHONPATH=str(broken.parent))
    assert "cannot load a library (not today); if prometheus_client is installed" in worker.log
    assert "Traceback" not in worker.log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may chroot")
def test_it_works_in_the_jail_and_without_roots_rights() -> None:
    """The library is loaded while its files can be read, and the workers are found from inside."""
    port = free_port()
    with Sandbox(owner=UNPRIVILEGED_USER) as sandbox:
        os.chown(sandbox.queue, pwd.getpwnam(UNPRIVILEGED_USER).pw_uid, -1)
        sandbox.run = sandbox.queue / "run"
        sandbox.configure(f"tlsmgr_metrics_address = :{port}", "tlsmgr_run_directory = $queue_directory/run")
        sandbox.start("prng-server")
        worker = sandbox.start("expiry-sweeper", "-c")
        worker.wait_for_log("is ready")
        assert Path(f"/proc/{worker.pid}/root").readlink() == sandbox.queue
        text = _scrape(port)
    assert 'tlsmgr_up{worker="prng-server"} 1.0' in text
    assert 'tlsmgr_up{worker="cache-server"} 0.0' in text
