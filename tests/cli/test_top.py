"""The verb top, on a terminal and without one."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rehearsal.checkout import COMMANDS
from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ExitCode

_SECONDS = 20.0


@contextmanager
def _top(sandbox: Sandbox) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run top on a terminal of 80x24; give the other end of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [str(COMMANDS / "tlsmgr"), "top", "--interval", "0.1"]
    environment = {**sandbox.environment, "TERM": "xterm-256color"}
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    try:
        yield ours, process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(descriptor: int, text: bytes) -> bytes:
    seen = b""
    ends_at = time.monotonic() + _SECONDS
    while text not in seen:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, ends_at - time.monotonic()))
        assert readable, seen
        seen += os.read(descriptor, 65536)
    return seen


def test_q_ends_it_and_the_terminal_is_as_before(sandbox: Sandbox) -> None:
    """A worker that starts meanwhile shows up."""
    with _top(sandbox) as (terminal, process):
        before = termios.tcgetattr(terminal)[3]
        assert b"not running" in _read_until(terminal, b"ENTROPY")
        assert not termios.tcgetattr(terminal)[3] & termios.ECHO
        sandbox.start("cache-server")
        _read_until(terminal, b"answers")
        os.write(terminal, b"q")
        _read_until(terminal, b"\x1b[?1049l")

        assert process.wait(_SECONDS) == ExitCode.OK
        assert termios.tcgetattr(terminal)[3] == before


def test_control_c_ends_it_too(sandbox: Sandbox) -> None:
    """Without a traceback."""
    with _top(sandbox) as (terminal, process):
        _read_until(terminal, b"ENTROPY")
        process.send_signal(2)
        rest = _read_until(terminal, b"\x1b[?1049l")

        assert process.wait(_SECONDS) == ExitCode.OK
        assert b"Traceback" not in rest


def test_without_a_terminal_it_prints_one_screen_or_nothing(sandbox: Sandbox) -> None:
    """A pipe gets no escape sequences."""
    sandbox.start("prng-server")

    refused = sandbox.command("top")
    done = sandbox.command("top", "--once", "--interval", "0.1")

    assert (refused.returncode, refused.stdout) == (ExitCode.USAGE, b"")
    assert b"top --once" in refused.stderr
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")
    assert b"\x1b" not in done.stdout
    assert b"dev:/dev/urandom is good" in done.stdout


@pytest.mark.parametrize("interval", ["0", "x", "inf", "nan", "-1"])
def test_an_interval_is_a_tenth_of_a_second_or_more(sandbox: Sandbox, interval: str) -> None:
    """Anything else is a usage error."""
    done = sandbox.command("top", "--interval", interval)

    assert done.returncode == ExitCode.USAGE
    assert b"Traceback" not in done.stderr
