"""No file and no log that a whole supervised system wrote has a secret in it: not the sealing key either."""

import os
import signal
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from rehearsal.altered_checkout import altered_checkout
from rehearsal.sandbox import Sandbox
from rehearsal.traces import Trace, files_below, traces
from rehearsal.waiting import wait_for
from rehearsal.workers import Workers
from tests.system.known_secrets import use
from tlsmgr.cli.asking import call_for_map
from tlsmgr.cli.workers import WORKERS
from tlsmgr.processes.pid_file import PidFile
from tlsmgr.sealing.keys import SEALING_KEY_SIZE

pytestmark = pytest.mark.system

_LOUD = {f"tlsmgr serve {name}": f"tlsmgr serve {name} -v -v -V" for name in WORKERS}
#: Each file that the search must have seen, or it proves nothing.
_SEARCHED = {
    "cache.db",
    "cache.db-wal",
    "prng_exch",
    "tlsmgr_ticket_keys",
    "supervisord.log",
    *(f"{name}.log" for name in WORKERS),
}


def _key_in_memory(sandbox: Sandbox, workers: Workers) -> bytes:
    """Return the sealing key, as only the worker that is told it can: by taking prng-server's place."""
    workers.control("stop", "tlsmgr:prng-server")
    place = PidFile.claim(sandbox.run / "prng-server.pid")
    try:
        with sandbox.client() as client:
            keys = call_for_map(client, "sealing_key", b"", b"")["keys"]
    finally:
        place.release()
    assert isinstance(keys, bytes)
    # Two, where both workers had begun with one of their own.
    assert len(keys) in {SEALING_KEY_SIZE, 2 * SEALING_KEY_SIZE}
    workers.control("start", "tlsmgr:prng-server")
    workers.await_ready()
    return keys


def _searched(sandbox: Sandbox, workers: Workers, known: Mapping[str, bytes]) -> list[Trace]:
    """Return what is found; all that there is to search has to be there."""
    files = [*files_below(workers.directory), *files_below(sandbox.data)]
    assert {path.name for path in files} >= _SEARCHED
    log_of_health = next(path for path in files if path.name.startswith("tlsmgr-health-stderr"))
    assert "RUNNING" in log_of_health.read_text()
    assert all("debug: " in workers.log(name) or "is ready" in workers.log(name) for name in WORKERS)
    assert " TRAC " in (workers.directory / "supervisord.log").read_text()
    return traces(files, known)


def _under_load(sandbox: Sandbox, key: Callable[[Workers], bytes]) -> list[Trace]:
    """Run everything at the highest log level, with a worker killed and one given a signal to read anew."""
    checkout = altered_checkout(sandbox.root / "checkout", _LOUD)
    workers = Workers(sandbox.root / "s", config_directory=sandbox.etc, checkout=checkout, log_level="trace")
    with workers:
        known = use(sandbox)
        keys = key(workers)
        for at in range(0, len(keys), SEALING_KEY_SIZE):
            known[f"sealing key at {at}"] = keys[at : at + SEALING_KEY_SIZE]
        os.kill(workers.pid("expiry-sweeper"), signal.SIGKILL)
        wait_for("answer", lambda: sandbox.answers("expiry-sweeper"), evidence=workers.logs)
        os.kill(workers.pid("cache-server"), signal.SIGHUP)
        read_again = "configuration read again"
        wait_for(read_again, lambda: read_again in workers.log("cache-server"), evidence=workers.logs)
        known |= {f"later {name}": secret for name, secret in use(sandbox).items()}
        found = _searched(sandbox, workers, known)
    return found + traces([*files_below(workers.directory), *files_below(sandbox.data)], known)


def _configure(sandbox: Sandbox, *lines: str) -> None:
    sandbox.configure(*(f"{cache}_tls_loglevel = 4" for cache in ("smtpd", "smtp", "lmtp")), *lines)


def test_a_system_with_its_sealing_key_in_memory_leaves_no_secret() -> None:
    """No sealing key, session, seed or ticket key, in the logs of supervisord and tlsmgr-health either."""
    with Sandbox() as sandbox:
        _configure(sandbox)
        assert _under_load(sandbox, partial(_key_in_memory, sandbox)) == []


@pytest.mark.parametrize("written", [bytes, bytes.hex, b64encode], ids=["raw", "hex", "base64"])
def test_a_system_with_its_sealing_key_in_a_file_leaves_no_secret(
    tmp_path: Path, written: Callable[[bytes], bytes | str]
) -> None:
    """The same, whichever way the file has it: no other file gets it, in no form."""
    key = os.urandom(SEALING_KEY_SIZE)
    content = written(key)
    path = tmp_path / "sealing-key"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    assert traces([path], {"sealing key": key})
    with Sandbox() as sandbox:
        _configure(sandbox, f"tlsmgr_sealing_key_file = {path}")
        assert _under_load(sandbox, lambda _: key) == []
