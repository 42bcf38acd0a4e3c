import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tlsmgr.storage.sessions import SessionStore

_WRITER = """
import sys
from pathlib import Path
from tlsmgr.storage.sessions import Put, SessionStore

store = SessionStore(Path(sys.argv[1]), checkpoints=True)
for batch in range(10**6):
    store.apply([
        Put(cache_id=b"%d.%d" % (batch, n), session=b"s" * 400, stored_at=1.0, expires_at=9.0)
        for n in range(16)
    ])
    print(batch, flush=True)
"""


@pytest.mark.parametrize("batches", [1, 40, 90])
def test_what_a_killed_process_saved_is_there(directory: Path, batches: int) -> None:
    """Every batch that was acknowledged before kill -9, whole; and none in part."""
    command = [sys.executable, "-c", _WRITER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: S603 - our own program
        assert writer.stdout is not None
        acknowledged = [int(next(writer.stdout)) for _ in range(batches)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    with SessionStore(directory, checkpoints=True) as store:
        for batch in acknowledged:
            for number in range(16):
                assert store.lookup(b"%d.%d" % (batch, number), 1, 3600) == b"s" * 400
        assert store.count() % 16 == 0
        rows = store._database.connection.execute("PRAGMA integrity_check").fetchall()  # noqa: SLF001 - SQLite's own check
    assert rows == [("ok",)]
