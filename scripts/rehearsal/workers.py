"""The three workers of this checkout under a real supervisord, with a configuration of their own."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.checkout import CHECKOUT, COMMANDS
from rehearsal.process_table import running_in_session
from rehearsal.waiting import wait_for
from tlsmgr.cli.workers import WORKERS

_READY_SECONDS = 20.0
_STOP_SECONDS = 30.0
_COMMAND_SECONDS = 30.0
_LOG_TAIL_LINES = 40

_SUPERVISOR = """\
[unix_http_server]
file = {directory}/supervisor.sock
chmod = 0600

[supervisord]
logfile = {directory}/supervisord.log
pidfile = {directory}/supervisord.pid
childlogdir = {directory}
nodaemon = true
silent = true
loglevel = {log_level}
umask = 077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{directory}/supervisor.sock

[include]
files = {checkout}/supervisord.conf
"""
_PROGRAM = """
[program:{name}]
stdout_logfile = {directory}/{name}.log
"""


class Workers:
    """A supervisord that includes the checkout's supervisord.conf, as a host's own does.

    Args:
        directory: Made here; holds supervisord's files and the workers' logs.
        config_directory: What MAIL_CONFIG names: the directory with main.cf.
        checkout: Whose supervisord.conf is included.
        log_level: Of supervisord's own log.
        prefix: What supervisord's command begins with, such as nsenter and its options.
        environment: Goes to all processes beside this one's own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        config_directory: Path,
        checkout: Path = CHECKOUT,
        log_level: str = "info",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self._log_level = log_level
        self._checkout = checkout
        self._prefix = tuple(prefix)
        self._environment = {**os.environ, **(environment or {}), "MAIL_CONFIG": str(config_directory)}
        #: supervisord's own.
        self.configuration = directory / "supervisord.conf"
        self._supervisord: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start supervisord, and return when all three workers answer.

        Raises:
            AssertionError: they do not in time; the message has the logs. Nothing is left running.
        """
        self.directory.mkdir(mode=0o700, exist_ok=True)
        programs = (_PROGRAM.format(name=name, directory=self.directory) for name in WORKERS)
        text = _SUPERVISOR.format(
            directory=self.directory, checkout=self._checkout, log_level=self._log_level
        )
        self.configuration.write_text(text + "".join(programs))
        with (self.directory / "output").open("ab") as output:
            self._supervisord = subprocess.Popen(  # noqa: S603 - the command is this module's own
                [*self._prefix, str(COMMANDS / "supervisord"), "-n", "-c", str(self.configuration)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.await_ready()
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Stop supervisord and its workers by SIGTERM; again is harmless.

        Raises:
            AssertionError: it does not end in time or not with 0, or a process of its is left.
                Whatever it was, nothing is left running.
        """
        if self._supervisord is None:
            return
        try:
            self._supervisord.terminate()
            code = self._supervisord.wait(timeout=_STOP_SECONDS)
            left = running_in_session(self._supervisord.pid)
            if (code, left) != (0, []):
                raise AssertionError(f"exit {code}, left over: {left}\n{self.logs()}")
        finally:
            self._end()

    def kill_supervisord(self) -> None:
        """Kill supervisord alone, by SIGKILL; ``start`` may follow."""
        if self._supervisord is not None:
            self._supervisord.kill()
            self._supervisord.wait(timeout=_STOP_SECONDS)
            self._supervisord = None

    def await_ready(self, *names: str) -> None:
        """Wait until these workers answer, or all of them.

        Raises:
            AssertionError: they do not in time; the message has the logs.
        """

        def answer() -> bool:
            if self._supervisord is None or self._supervisord.poll() is not None:
                raise AssertionError(f"supervisord has ended\n{self.logs()}")
            return self.command("ping", "-q", *names).returncode == 0

        wait_for("answer of the workers", answer, seconds=_READY_SECONDS, evidence=self.logs)

    def restart(self, name: str) -> None:
        """Have supervisorctl restart one worker, and return when it answers again."""
        former = self.pid(name)
        self.control("restart", f"tlsmgr:{name}")
        self.await_ready(name)
        if self.pid(name) == former:
            raise AssertionError(f"{name} was not restarted\n{self.logs()}")

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """Have supervisorctl stop one worker while the block runs."""
        self.control("stop", f"tlsmgr:{name}")
        try:
            yield
        finally:
            self.control("start", f"tlsmgr:{name}")
            self.await_ready(name)

    def pid(self, name: str) -> int:
        """Return a worker's process ID, as supervisord has it."""
        return int(self.control("pid", f"tlsmgr:{name}"))

    def status(self, name: str) -> str:
        """Return what supervisorctl says of a program's state, whatever that is."""
        return self._run("supervisorctl", "-c", str(self.configuration), "status", name).stdout

    def log(self, name: str) -> str:
        """Return what a worker wrote so far."""
        return (self.directory / f"{name}.log").read_text()

    def logs(self) -> str:
        """Return the end of every log, for the message of an assertion."""
        paths = [*sorted(self.directory.glob("*.log")), self.directory / "output"]
        return "\n".join(
            "\n".join([f"-- end of {path}:", *path.read_text().splitlines()[-_LOG_TAIL_LINES:]])
            for path in paths
            if path.exists()
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``tlsmgr`` with these arguments on the workers' configuration."""
        return self._run("tlsmgr", *arguments)

    def control(self, *arguments: str) -> str:
        """Run supervisorctl with these arguments; return its output.

        Raises:
            AssertionError: it fails; the message has its output and the logs.
        """
        done = self._run("supervisorctl", "-c", str(self.configuration), *arguments)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}\n{self.logs()}")
        return done.stdout

    def _run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the commands are this checkout's own
            [str(COMMANDS / name), *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def _end(self) -> None:
        """End what an unsuccessful stop left: the session is supervisord's own."""
        supervisord, self._supervisord = self._supervisord, None
        if supervisord is None:
            return
        for pid in running_in_session(supervisord.pid):
            os.kill(pid, signal.SIGKILL)
        supervisord.wait(timeout=_STOP_SECONDS)
