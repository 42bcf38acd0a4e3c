"""Where a worker's log goes: to syslog as Postfix's daemons do, or else to stderr."""

import logging
import logging.handlers
import os
import socket
import stat
import sys
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


class _SyslogHandler(logging.handlers.SysLogHandler):
    """Sends to syslog without ever waiting for it: a stopped syslogd must not stop mail."""

    def createSocket(self) -> None:  # noqa: N802 - overrides a name of the standard library's
        super().createSocket()
        connected: socket.socket = vars(self)["socket"]
        connected.setblocking(False)  # noqa: FBT003 - socket's own signature

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - likewise
        """Drop a line that syslog does not take now; there is nowhere to complain."""


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
    handler: logging.Handler
    if not to_stderr and syslog.is_socket():
        handler = _SyslogHandler(address=str(syslog), facility=facility)
        handler.ident = prefix
        handler.setFormatter(_PostfixFormatter("%(message)s"))
    else:
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


class _StampedFormatter(_PostfixFormatter):
    """A line for a log file: the time and the prefix that syslogd would add."""

    def __init__(self, prefix: str) -> None:
        super().__init__("%(message)s")
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record)} {self._prefix}{super().format(record)}"
