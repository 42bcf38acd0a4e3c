"""Which process a worker is."""

import os
from pathlib import Path

from tests.sealing.test_other_worker import running
from tlsmgr.processes.health.worker_process import WorkerProcess


def test_the_holder_of_the_lock_is_found_and_ended(tmp_path: Path) -> None:
    """It is our child here, as a worker is supervisord's."""
    with running(tmp_path / "pid") as process_id:
        found = WorkerProcess.find(tmp_path / "pid", os.getpid())
        assert found is not None
        assert found.pid == process_id
        assert not found.is_gone()
        found.kill()
    assert found.is_gone()
    found.close()


def test_a_number_in_the_file_is_nobody(tmp_path: Path) -> None:
    """One that was left there may be another process's by now."""
    with running(tmp_path / "other") as process_id:
        (tmp_path / "pid").write_text(f"{process_id}\n")
        assert WorkerProcess.find(tmp_path / "pid", os.getpid()) is None
        assert WorkerProcess.find(tmp_path / "none", os.getpid()) is None


def test_a_holder_that_is_no_child_is_nobody(tmp_path: Path) -> None:
    """A command may hold the lock for a moment; it is not ours to end."""
    with running(tmp_path / "pid"):
        assert WorkerProcess.find(tmp_path / "pid", os.getpid() + 1) is None
