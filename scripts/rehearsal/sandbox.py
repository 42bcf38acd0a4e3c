"""A folder in which workers run without Postfix."""

import os
import pwd
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.checkout import COMMANDS
from rehearsal.directories import traversable_directory
from rehearsal.running_worker import RunningWorker
from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError, ServerUnavailableError

THIS_USER = pwd.getpwuid(os.geteuid()).pw_name

#: Whose rights the workers get where they may not have root's: a user that every host has.
UNPRIVILEGED_USER = "nobody" if os.geteuid() == 0 else THIS_USER

_CACHES = ("smtpd", "smtp", "lmtp")


class Sandbox:
    """A configuration, a queue and a data directory of its own; whatever is in it ends with it.

    Args:
        owner: mail_owner, whom the queue and the data belong to.
        caches: Those that are enabled.
    """

    def __init__(self, *, owner: str = THIS_USER, caches: Iterable[str] = _CACHES) -> None:
        self._stack = ExitStack()
        self.root = self._stack.enter_context(traversable_directory())
        self.etc, self.queue, self.data = (self.root / name for name in ("etc", "queue", "data"))
        self.run = self.data / "run"
        self.owner = owner
        self.workers: list[RunningWorker] = []
        self._caches = tuple(caches)
        user = pwd.getpwnam(owner)
        for directory in (self.etc, self.queue, self.queue / "private", self.data):
            directory.mkdir(mode=0o700)
            os.chown(directory, user.pw_uid, user.pw_gid)
        self.queue.chmod(0o755)
        self.configure()

    @property
    def main_cf(self) -> Path:
        """The configuration file."""
        return self.etc / "main.cf"

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the sandbox is started with."""
        return {"PATH": os.environ.get("PATH", os.defpath), "MAIL_CONFIG": str(self.etc), "HOME": "/"}

    @property
    def postfix_socket(self) -> Path:
        """The socket that speaks the Postfix attribute protocol."""
        return self.queue / "private" / "tlsmgr"

    def configure(self, *lines: str) -> None:
        """Write main.cf anew: the caches enabled, and these lines after that."""
        own = (
            f"mail_owner = {self.owner}",
            f"queue_directory = {self.queue}",
            f"data_directory = {self.data}",
            *(
                f"{cache}_tls_session_cache_database = diskcache:$data_directory/{cache}_scache"
                for cache in self._caches
            ),
        )
        self.main_cf.write_text("".join(f"{line}\n" for line in (*own, *lines)))

    def socket(self, worker: str) -> Path:
        """Return the MessagePack-RPC socket of a worker."""
        return self.run / f"{worker}.sock"

    def client(self, worker: str = "cache-server") -> Client:
        """Return a client of a worker."""
        return Client(self.socket(worker), timeout=5.0)

    def answers(self, worker: str) -> bool:
        """Whether a worker answers now."""
        try:
            with self.client(worker) as client:
                client.call("ping")
        except (ServerUnavailableError, ProtocolError):
            return False
        return True

    def start(self, name: str, *options: str, **environment: str) -> RunningWorker:
        """Start a worker with these options of ``serve``, and return when it answers."""
        worker = self.launch(name, *options, **environment)
        worker.wait_until_ready()
        return worker

    def launch(self, name: str, *options: str, **environment: str) -> RunningWorker:
        """Start a worker without waiting for anything."""
        worker = RunningWorker(
            name,
            *options,
            environment={**self.environment, **environment},
            log=self.root / f"{name}.{len(self.workers)}.log",
            answers=lambda: self.answers(name),
        )
        self.workers.append(worker)
        return worker

    def command(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run the command ``tlsmgr`` with these arguments, and return its end."""
        return subprocess.run(  # noqa: S603 - our own command
            [COMMANDS / "tlsmgr", *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment,
            cwd="/",
            timeout=20,
            check=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            for worker in self.workers:
                worker.kill()
