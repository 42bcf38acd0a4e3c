"""Where log lines go: to a real datagram socket, without ever waiting for it."""

import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tlsmgr.processes.logs import log_to

_log = logging.getLogger("tlsmgr.test")
_MAIL, _ERROR, _INFO = 2 << 3, 3, 6


@pytest.fixture
def syslog() -> Iterator[socket.socket]:
    """Give a datagram socket such as syslogd has, and put logging back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # log_to closes what was there; pytest's own handlers are to survive that.
    for handler in handlers:
        root.removeHandler(handler)
    with (
        tempfile.TemporaryDirectory(prefix="log") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.settimeout(5)
        receiver.bind(str(Path(directory) / "log"))
        yield receiver
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def _use(syslog: socket.socket) -> None:
    log_to("postfix/cache-server", "mail", syslog=Path(syslog.getsockname()))


def test_a_line_has_facility_severity_name_and_pid(syslog: socket.socket) -> None:
    """A datagram is what syslogd expects: <priority>name[pid]: text."""
    _use(syslog)

    _log.info("ready")
    _log.error("broken")

    prefix = f"postfix/cache-server[{os.getpid()}]: "
    assert syslog.recv(1000).rstrip(b"\0").decode() == f"<{_MAIL | _INFO}>{prefix}ready"
    assert syslog.recv(1000).rstrip(b"\0").decode() == f"<{_MAIL | _ERROR}>{prefix}error: broken"


def test_a_full_socket_does_not_block(syslog: socket.socket) -> None:
    """Lines that syslogd does not take are dropped, and later ones arrive once it reads again."""
    _use(syslog)
    started = time.monotonic()
    for number in range(2000):
        _log.info("line %d", number)
    assert time.monotonic() - started < 5

    syslog.setblocking(False)  # noqa: FBT003 - socket's own signature
    with suppress(BlockingIOError):
        while syslog.recv(1000):
            pass
    syslog.settimeout(5)
    _log.info("afterwards")

    assert b"afterwards" in syslog.recv(1000)


def test_without_a_syslog_socket_lines_go_to_stderr(
    syslog: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where there is no syslogd, stderr gets the line, with the time before it."""
    log_to("postfix/cache-server", "mail", syslog=Path(syslog.getsockname() + ".absent"))

    _log.warning("odd")

    line = capfd.readouterr().err
    assert line.endswith(f" postfix/cache-server[{os.getpid()}]: warning: odd\n")


def test_a_syslogd_that_was_restarted_gets_lines_again(syslog: socket.socket) -> None:
    """The lines go to whoever listens at the path now."""
    _use(syslog)
    path = Path(syslog.getsockname())
    syslog.close()
    _log.info("lost")
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as successor:
        successor.settimeout(5)
        successor.bind(str(path))

        _log.info("found")

        assert b"found" in successor.recv(1000)
