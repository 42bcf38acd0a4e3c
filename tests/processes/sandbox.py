"""A folder in which workers run without Postfix, and the workers that run in it."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.processes.waiting import wait_for
from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError, ServerUnavailableError

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).parent / "tlsmgr"
THIS_USER = pwd.getpwuid(os.geteuid()).pw_name

_CACHES = "".join(
    f"{cache}_tls_session_cache_database = diskcache:$data_directory/{cache}_scache\n"
    for cache in ("smtpd", "smtp", "lmtp")
)
_STOP_SECONDS = 15.0


class Sandbox:
    """A configuration, a queue and a data directory of a test's own.

    Its path is short, as the path of a UNIX socket has at most 107 bytes.
    """

    def __init__(self, *, owner: str = THIS_USER) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="tls", dir=tempfile.gettempdir()))
        self.etc, self.queue, self.data = (self.root / name for name in ("etc", "queue", "data"))
        self.run = self.data / "run"
        self.owner = owner
        self.workers: list[RunningWorker] = []
        user = pwd.getpwnam(owner)
        self.root.chmod(0o755)
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
        """Write main.cf anew: all three caches enabled, and these lines after that."""
        self.main_cf.write_text(
            f"mail_owner = {self.owner}\nqueue_directory = {self.queue}\ndata_directory = {self.data}\n"
            + _CACHES
            + "".join(f"{line}\n" for line in lines)
        )

    def socket(self, worker: str) -> Path:
        """Return the MessagePack-RPC socket of a worker."""
        return self.run / f"{worker}.sock"

    def client(self, worker: str = "cache-server") -> Client:
        """Return a client of a worker."""
        return Client(self.socket(worker), timeout=5.0)

    def start(self, name: str, *options: str, **environment: str) -> "RunningWorker":
        """Start a worker with these options of ``serve``, and return when it answers."""
        worker = self.launch(name, *options, **environment)
        worker.wait_until_ready()
        return worker

    def launch(self, name: str, *options: str, **environment: str) -> "RunningWorker":
        """Start a worker without waiting for anything."""
        worker = RunningWorker(name, self, options, environment)
        self.workers.append(worker)
        return worker

    def command(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run the command ``tlsmgr`` with these arguments, and return its end."""
        return subprocess.run(  # noqa: S603 - our own command
            [COMMAND, *arguments],
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
        for worker in self.workers:
            worker.kill()
        shutil.rmtree(self.root)


class RunningWorker:
    """A real worker, as a process that logs to a file (-V), also where there is a syslog socket."""

    def __init__(
        self, name: str, sandbox: Sandbox, options: tuple[str, ...], environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._sandbox = sandbox
        self._log = sandbox.root / f"{name}.{len(sandbox.workers)}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMAND, "serve", name, "-V", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**sandbox.environment, **environment},
                cwd="/",
            )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """What the worker has logged."""
        return self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        """Return when the worker answers."""
        wait_for(f"answer of {self.name}", self._answers)

    def wait_for_log(self, text: str) -> None:
        """Return when the log holds ``text``."""
        wait_for(f"log line {text!r} of {self.name}", lambda: text in self.log)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit code, when there is one."""
        return self._process.wait(_STOP_SECONDS)

    def stop(self) -> int:
        """Ask the worker to stop, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End the worker in any case."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        code = self._process.poll()
        assert code is None, f"{self.name} ended with {code}:\n{self._log.read_text()}"
        try:
            with self._sandbox.client(self.name) as client:
                client.call("ping")
        except (ServerUnavailableError, ProtocolError):
            return False
        return True
