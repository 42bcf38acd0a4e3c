"""A real supervisord that runs the three workers, started by scripts/run or by a host's own file."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.checkout import CHECKOUT
from rehearsal.process_table import running_in_session
from rehearsal.waiting import wait_for

_STOP_SECONDS = 30.0


class Supervised:
    """A process in a session of its own, its output in a file, and its end awaited."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        output: Path,
        *,
        checkout: Path = CHECKOUT,
    ) -> None:
        self._output = output
        self._environment = dict(environment)
        self._checkout = checkout
        # The control socket is beside main.cf, and the logs have a folder for each MAIL_CONFIG.
        self.config = Path(environment.get("MAIL_CONFIG", f"{checkout}/var/sandbox/etc"))
        self.folder = Path(f"{checkout}/var/supervisor{self.config}")
        with output.open("ab") as stream:
            self._process = subprocess.Popen(  # noqa: S603 - our own scripts
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=self._environment,
                cwd="/",
                start_new_session=True,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.processes():
            os.killpg(self.pid, signal.SIGTERM)
            try:
                wait_for("end of the processes", lambda: not self.processes(), seconds=_STOP_SECONDS)
            finally:
                for process in self.processes():
                    os.kill(process, signal.SIGKILL)
        self._process.wait()
        if self._checkout == CHECKOUT:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):
                self.folder.parent.rmdir()

    @property
    def output(self) -> str:
        """What was printed."""
        return self._output.read_text(errors="replace")

    def wait_until_ready(self, seconds: float = 40.0) -> None:
        """Return when scripts/run says that all three processes answer."""
        wait_for(
            "line of scripts/run", lambda: "tlsmgr is ready" in self._output_while_alive(), seconds=seconds
        )

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the process itself, and return its exit code."""
        self._process.send_signal(number)
        return self._process.wait(_STOP_SECONDS)

    def processes(self) -> list[int]:
        """Return the live processes of the session: this one, supervisord, the workers."""
        self._process.poll()
        return running_in_session(self.pid)

    def control(self, *arguments: str, file: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run supervisorctl from the root directory."""
        return subprocess.run(  # noqa: S603 - our own
            [
                self._checkout / ".venv/bin/supervisorctl",
                "-c",
                file or self._checkout / "supervisord.conf",
                *arguments,
            ],
            capture_output=True,
            text=True,
            env=self._environment,
            cwd="/",
            timeout=60,
            check=False,
        )

    def states(self, file: Path | None = None) -> dict[str, str]:
        """Return the state of each program of the group."""
        lines = self.control("status", "tlsmgr:*", file=file).stdout.splitlines()
        return {words[0]: words[1] for words in map(str.split, lines) if len(words) > 1}

    def _output_while_alive(self) -> str:
        assert self._process.poll() is None, self.output
        return self.output
