"""Where a worker's log goes: to syslog as Postfix's daemons do, or else to stderr."""

import logging
import os
import socket
import stat
import sys
from logging.handlers import SysLogHandler
from pathlib import Path

SYSLOG_SOCKET = Path("/dev/log")

_WORDS = {
    logging.DEBUG: "debug: ",
    logging.INFO: "",
    logging.WARNING: "warning: ",
    logging.ERROR: "error: ",
    logging.CRITICAL: "fatal: ",
}


class _PostfixFormatter(logging.Formatter):
    """A line as msg_syslog(3) of Postfix writes it: the severity is named when there is cause."""

    def format(self, record: logging.LogRecord) -> str:
        return _WORDS.get(record.levelno, "") + super().format(record)


class _SyslogHandler(logging.Handler):
    """Sends to syslog without ever waiting for it: a stopped syslogd must not stop mail.

    The standard library's handler would, since it answers a full socket with a new, blocking one.

    Args:
        path: The syslog socket.
        facility: A syslog facility's name.
        prefix: What stands before each line.

    Raises:
        OSError: Nobody listens there.
    """

    def __init__(self, path: Path, facility: str, prefix: str) -> None:
        super().__init__()
        self._path = str(path)
        self._facility = SysLogHandler.facility_names[facility]
        self._prefix = prefix
        self._socket = self._connected()

    def emit(self, record: logging.LogRecord) -> None:
        severity = SysLogHandler.priority_names[SysLogHandler.priority_map[record.levelname]]
        line = f"<{self._facility << 3 | severity}>{self._prefix}{self.format(record)}"
        data = line.encode("utf-8", "backslashreplace")
        try:
            self._socket.send(data)
        except BlockingIOError:
            self.handleError(record)
        except OSError:
            self._send_anew(data, record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides logging's name
        """Drop a line that syslog does not take now; there is nowhere to complain."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _send_anew(self, data: bytes, record: logging.LogRecord) -> None:
        """Send to the syslogd that has taken the place of the one from before."""
        try:
            connected = self._connected()
            self._socket.close()
            self._socket = connected
            connected.send(data)
        except OSError:
            self.handleError(record)

    def _connected(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)  # noqa: FBT003 - socket's own signature
            made.connect(self._path)
        except OSError:
            made.close()
            raise
        return made


class _DescriptorHandler(logging.Handler):
    """Writes lines to a descriptor, and drops them rather than wait for its reader."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            # Only a pipe is ours alone to change: supervisord made it for this process.
            os.set_blocking(descriptor, False)

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record) + "\n"
        try:
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace"))
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides logging's name
        """Drop a line that nobody takes now; there is nowhere to complain."""


def log_to(
    tag: str, facility: str, *, verbosity: int = 0, to_stderr: bool = False, syslog: Path = SYSLOG_SOCKET
) -> None:
    """Send this process's log to syslog when it is there, or else to stderr.

    Args:
        tag: ``syslog_name/process_name``; the process id follows it.
        facility: A syslog facility's name, such as ``mail``.
        verbosity: 0, or more for debugging.
        to_stderr: Use stderr in any case.
        syslog: The syslog socket.
    """
    prefix = f"{tag}[{os.getpid()}]: "
    handler = None if to_stderr else _syslog_handler(syslog, facility, prefix)
    if handler is None:
        handler = _DescriptorHandler(sys.stderr.fileno())
        handler.setFormatter(_StampedFormatter(prefix))
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity else logging.INFO)
    # asyncio's own debugging says nothing about tlsmgr.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _syslog_handler(path: Path, facility: str, prefix: str) -> logging.Handler | None:
    """Return a handler that sends to syslog, or None when no syslogd listens there."""
    try:
        handler = _SyslogHandler(path, facility, prefix)
    except OSError:
        return None
    handler.setFormatter(_PostfixFormatter("%(message)s"))
    return handler


class _StampedFormatter(_PostfixFormatter):
    """A line for a log file: the time and the prefix that syslogd would add."""

    def __init__(self, prefix: str) -> None:
        super().__init__("%(message)s")
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {self._prefix}{super().format(record)}"
