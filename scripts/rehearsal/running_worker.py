"""One worker, as a process."""

import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from rehearsal.checkout import COMMANDS
from rehearsal.waiting import wait_for

_STOP_SECONDS = 15.0


class RunningWorker:
    """A real worker, as a process that logs to a file (-V), also where there is a syslog socket."""

    def __init__(
        self,
        name: str,
        *options: str,
        environment: Mapping[str, str],
        log: Path,
        answers: Callable[[], bool],
    ) -> None:
        self.name = name
        self._log = log
        self._answers = answers
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [COMMANDS / "tlsmgr", "serve", name, "-V", *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd="/",
            )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """What the worker has logged."""
        return self._log.read_text(errors="replace")

    def wait_until_ready(self) -> None:
        """Return when the worker answers."""
        wait_for(f"answer of {self.name}", self._answers_yet, evidence=lambda: self.log)

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

    def _answers_yet(self) -> bool:
        code = self._process.poll()
        if code is not None:
            raise AssertionError(f"{self.name} ended with {code}:\n{self.log}")
        return self._answers()
