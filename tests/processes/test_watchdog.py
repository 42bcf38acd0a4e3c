"""The watchdog ends a process whose event loop hangs, and no other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from rehearsal.waiting import wait_for
from tlsmgr.errors import ExitCode

PROGRAM = """
import asyncio, logging, sys, time
from tlsmgr.processes.watchdog import Watchdog

def hang():
    while True:
        pass

async def live(seconds):
    watchdog = Watchdog(0.5)
    print("watched", flush=True)
    if seconds:
        await asyncio.sleep(seconds)
        watchdog.stop()
    else:
        hang()

logging.basicConfig(stream=sys.stderr)
asyncio.run(live(float(sys.argv[1])))
"""


def start(seconds: float, log: Path) -> "subprocess.Popen[bytes]":
    """Start a process that lives for so long, or, with 0, hangs at once."""
    with log.open("wb") as stderr:
        return subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", PROGRAM, str(seconds)], stdout=subprocess.PIPE, stderr=stderr
        )


def test_a_loop_that_hangs_is_ended_and_the_log_says_where(tmp_path: Path) -> None:
    """The process ends with its own exit code, and names the function that hung."""
    with start(0, tmp_path / "log") as process:
        assert process.wait(timeout=30) == ExitCode.HUNG
    log = (tmp_path / "log").read_text()
    assert "watchdog timeout" in log
    assert "hang <- " in log


def test_a_loop_that_waits_is_left_alone(tmp_path: Path) -> None:
    """Waiting longer than the limit is progress."""
    with start(1.2, tmp_path / "log") as process:
        assert process.wait(timeout=30) == 0
    assert (tmp_path / "log").read_text() == ""


def test_a_process_that_was_stopped_for_a_while_is_left_alone(tmp_path: Path) -> None:
    """A suspended machine, or SIGSTOP, is no hang of ours."""
    with start(1.5, tmp_path / "log") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"watched\n"
        process.send_signal(signal.SIGSTOP)
        wait_for("stopped process", lambda: os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT))
        # As long as it takes is what the test is about: longer than the watchdog's limit.
        with subprocess.Popen(["/bin/sleep", "1"]) as pause:
            pause.wait()
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=30) == 0
