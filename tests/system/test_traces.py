"""No file and no log that a loaded system wrote has a session, a seed or a ticket key in it."""

import base64
import secrets
from pathlib import Path

import pytest

from rehearsal.sandbox import Sandbox
from rehearsal.traces import Trace, files_below, traces
from tests.system.known_secrets import use
from tlsmgr.cli.workers import WORKERS

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def found() -> tuple[list[Trace], list[Trace]]:
    """Give what is found in the logs, and what in all other files, of a system under load."""
    with Sandbox() as sandbox:
        sandbox.configure(*(f"{cache}_tls_loglevel = 4" for cache in ("smtpd", "smtp", "lmtp")))
        workers = [sandbox.start(name, "-v", "-v") for name in WORKERS]
        known = use(sandbox)
        # While the write-ahead logs are full, and when all is closed.
        seen = traces(files_below(sandbox.root), known)
        for worker in workers:
            assert worker.stop() == 0
        seen += traces(files_below(sandbox.root), known)
        assert {"cache.db", "tlsmgr_ticket_keys"} <= {path.name for path in files_below(sandbox.data)}
        assert all(len(worker.log) > 100 for worker in workers)
    logs = [trace for trace in seen if trace.path.suffix == ".log"]
    return logs, [trace for trace in seen if trace not in logs]


def test_logs_at_the_highest_level_have_no_secret(found: tuple[list[Trace], list[Trace]]) -> None:
    """Neither raw nor in hexadecimal, base64 or escaped form, nor a piece of one."""
    assert found[0] == []


def test_files_have_no_secret(found: tuple[list[Trace], list[Trace]]) -> None:
    """Databases, their write-ahead logs, the exchange file, the ticket keys' file: sealed or not there."""
    assert found[1] == []


@pytest.mark.parametrize("before", [b"", b"x", b"xx", b"xxx"])
def test_a_secret_is_found_in_every_form(tmp_path: Path, before: bytes) -> None:
    """The search finds what is there, whatever stands around it, and also a piece of it."""
    secret = secrets.token_bytes(48)
    written = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "base64": base64.b64encode(before + secret + b"behind"),
        "escaped": repr(secret).encode(),
        "piece": secret[-24:],
    }
    for name, content in written.items():
        path = tmp_path / name
        path.write_bytes(before + content if name != "base64" else content)
        assert traces([path], {"it": secret}), name
        assert traces([path], {"other": secrets.token_bytes(48)}) == []


def test_a_short_secret_is_no_evidence(tmp_path: Path) -> None:
    """A few bytes are found anywhere."""
    (tmp_path / "file").write_bytes(b"ab")
    with pytest.raises(ValueError, match="by chance"):
        traces([tmp_path / "file"], {"it": b"ab"})
