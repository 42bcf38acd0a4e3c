"""A worker as supervisord's other child sees it: which process it is, and whether it has ended."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Self

from tlsmgr.lock_holder import lock_holder


class WorkerProcess:
    """A process that runs a worker, held by a descriptor that no other process can take over.

    Args:
        pid: Its number, for messages.
        descriptor: A pidfd (pidfd_open(2)); readable when the process has ended.
    """

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor

    @classmethod
    def find(cls, pid_file: Path, parent: int) -> Self | None:
        """Return the process that holds a pid file's lock, if it is a child of ``parent``; or None.

        The number in the file may be an earlier process's, and be another's by now: that is not
        looked at.
        """
        pid = lock_holder(pid_file)
        if pid is None:
            return None
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return None
        # Looked at anew: the descriptor may be of one that got the number in between.
        if lock_holder(pid_file) == pid and _parent(pid) == parent:
            return cls(pid, descriptor)
        os.close(descriptor)
        return None

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._descriptor

    def is_gone(self) -> bool:
        """Whether its parent has waited for it after it ended."""
        try:
            signal.pidfd_send_signal(self._descriptor, 0)
        except ProcessLookupError:
            return not Path(f"/proc/{self.pid}").exists()
        except PermissionError:
            return False  # another user's, and there
        return False

    def kill(self) -> None:
        """End it whatever it does, even if it is stopped; nothing happens if it has ended already.

        Raises:
            PermissionError: It runs as another user.
        """
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Let go of the process."""
        os.close(self._descriptor)


def _parent(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[1])
