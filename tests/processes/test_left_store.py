"""A store that the configuration names no more, and one behind TLS that is reached out of a jail."""

import datetime as dt
import os
import signal
from pathlib import Path

import pytest

from rehearsal.certificate import self_signed
from rehearsal.loopback import HOST, free_port
from rehearsal.redis_server import RedisServer
from rehearsal.sandbox import UNPRIVILEGED_USER, Sandbox
from rehearsal.sharing import sharing
from rehearsal.waiting import wait_for
from tlsmgr.errors import ExitCode


def _stores(sandbox: Sandbox) -> dict[str, dict[str, object]]:
    with sandbox.client() as client:
        stats = client.call("stats")
    assert isinstance(stats, dict)
    stores: dict[str, dict[str, object]] = stats["shared_stores"]
    return stores


def _is_up(sandbox: Sandbox) -> bool:
    return any(store["up"] for store in _stores(sandbox).values())


def test_a_store_that_a_reload_took_out_is_asked_no_more(redis_server: RedisServer) -> None:
    """Nor does a revocation fail for it."""
    with Sandbox() as sandbox:
        sandbox.configure(*sharing(sandbox, redis_server.url, "smtpd"))
        worker = sandbox.start("cache-server")
        wait_for("shared store", lambda: _is_up(sandbox))
        sandbox.configure()
        worker.signal(signal.SIGHUP)
        worker.wait_for_log("leaving the shared store")
        assert _stores(sandbox) == {}
        redis_server.kill()
        done = sandbox.command("revoke")
        assert done.returncode == ExitCode.OK, done.stderr
        assert worker.stop() == ExitCode.OK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot and give up rights")
def test_a_store_behind_tls_is_reached_out_of_a_jail(tmp_path: Path) -> None:
    """By its address; nothing that it takes is loaded in there."""
    files, port = self_signed(tmp_path, now=dt.datetime.now(dt.UTC)), free_port()
    options = [
        f"tls-port {port}",
        f"tls-cert-file {files.certificate}",
        f"tls-key-file {files.key}",
        "tls-auth-clients no",
        f"tls-ca-cert-file {files.certificate}",
    ]
    url = f"rediss://{HOST}:{port}?ssl_ca_certs={files.certificate}&ssl_check_hostname=no"
    with RedisServer(tmp_path / "redis", options), Sandbox(owner=UNPRIVILEGED_USER) as jail:
        jail.run = jail.queue / "private" / "run"
        jail.configure(f"tlsmgr_run_directory = {jail.run}", *sharing(jail, url, "smtpd"))
        worker = jail.start("cache-server", "-c", "-u")
        wait_for("shared store", lambda: _is_up(jail), evidence=lambda: worker.log)
