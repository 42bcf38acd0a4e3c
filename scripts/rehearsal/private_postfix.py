"""A Postfix of one's own: private configuration, queue, data and log; the system's is left alone."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rehearsal.process_table import members, running_in_group
from rehearsal.programs import program
from rehearsal.waiting import wait_for

#: The line of master.cf with Debian's own tlsmgr, in a chroot jail as Debian has it.
TLSMGR_SERVICE = "tlsmgr unix - - y 1000? 1 tlsmgr"

UNIX_PATH_MAX = 107  # sun_path of Linux, less its null
COMMAND_SECONDS = 20.0
LOG_TAIL_LINES = 40
_LONG_AGO = 1_000_000_000


class PrivatePostfix:
    """One Postfix instance below ``directory``, with the given parameters and master.cf lines.

    ``directory`` must exist and let user postfix through. Nothing outside of it is
    written, and no address but those in ``services`` is listened on. Use it as a
    context manager: it is stopped at the end, whatever happened.

    Its commands run behind ``prefix``, such as nsenter with its options, and with ``environment``
    beside this process's own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        parameters: Mapping[str, str],
        services: Iterable[str],
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.config_directory = directory / "config"
        self.queue_directory = directory / "spool"
        self.data_directory = directory / "data"
        self.maillog_path = directory / "log" / "maillog"
        self._parameters = self._own_parameters() | dict(parameters)
        self._prefix = tuple(prefix)
        self._environment = {**os.environ, **(environment or {})}
        self._services = [*services, "postlog unix-dgram n - n - 1 postlogd"]
        self._group: int | None = None
        self._prepared = False
        self._marks = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._end_group()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def prepare(self) -> None:
        """Write the configuration, and have Postfix check it and make its queue directories.

        ``start`` does it where it was not done. On its own it is for a server that
        puts its socket into the queue directory before the first client comes.

        Raises:
            AssertionError: Postfix refuses the configuration; the message has its own words.
        """
        self._write_configuration()
        self.postfix("check")
        self._prepared = True

    def start(self) -> None:
        """Start the master, and return when it is ready.

        Raises:
            AssertionError: Postfix does not start; the message has its own words and
                the end of the log.
        """
        if not self._prepared:
            self.prepare()
        try:
            self.postfix("start")
        finally:
            self._group = self._master_pid()
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until the services can be used: master's sockets are there when it has started."""

    def stop(self) -> None:
        """Stop the master and see that none of its processes is left; again is harmless."""
        if self._group is None:
            return
        try:
            self.postfix("stop")
            self._await_end(self._group)
        finally:
            self._end_group()

    def processes(self) -> list[tuple[str, int]]:
        """Return name and number of the master and of all that it runs; none before the start."""
        return [] if self._group is None else list(members(self._group))

    def socket_path(self, service: str, *, public: bool = False) -> Path:
        """Return the path of a service's UNIX socket.

        Raises:
            AssertionError: the path is longer than a UNIX socket's may be.
        """
        path = self.queue_directory / ("public" if public else "private") / service
        if len(os.fsencode(path)) > UNIX_PATH_MAX:
            raise AssertionError(f"too long for a UNIX socket: {path}")
        return path

    def maillog(self) -> str:
        """Return the log as it is now, empty before the first line."""
        try:
            return self.maillog_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def settled_maillog(self) -> str:
        """Return the log with everything in it that was sent to it before this call.

        Raises:
            AssertionError: the log takes nothing any more.
        """
        self._marks += 1
        mark = f"mark {self._marks} of the test"
        self.run(["postlog", "-c", str(self.config_directory), mark])
        self.await_maillog(mark)
        return self.maillog()

    def maillog_tail(self) -> str:
        """Return the end of the log, for the message of an assertion."""
        lines = self.maillog().splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"-- end of {self.maillog_path}:", *lines])

    def await_maillog(self, text: str, *, count: int = 1, seconds: float = 10.0) -> None:
        """Wait until ``text`` stands ``count`` times in the log.

        Raises:
            AssertionError: it does not within ``seconds``.
        """
        wait_for(
            f"{text!r} in the log, {count} times",
            lambda: self.maillog().count(text) >= count,
            seconds=seconds,
            evidence=self.maillog_tail,
        )

    def postfix(self, verb: str) -> None:
        """Run ``postfix -c DIR verb``.

        Raises:
            AssertionError: it fails; the message has its output and the end of the log.
        """
        self.run(["postfix", "-c", str(self.config_directory), verb])

    def run(self, arguments: list[str], *, stdin: str = "") -> str:
        """Run one of Postfix's commands, and return what it printed on both outputs."""
        command = [*self._prefix, str(program(arguments[0])), *arguments[1:]]
        # The output goes to a file: the master inherits it, and would keep a pipe open for good.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603 - the commands are this module's own
                command,
                input=stdin.encode(),
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS,
                check=False,
            )
            output.seek(0)
            said = output.read().decode(errors="replace")
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n{said}{self.maillog_tail()}")
        return said

    def _own_parameters(self) -> dict[str, str]:
        return {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue_directory),
            "data_directory": str(self.data_directory),
            "maillog_file": str(self.maillog_path),
            "maillog_file_prefixes": str(self.maillog_path.parent),
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
        }

    def _write_configuration(self) -> None:
        for path in (self.config_directory, self.queue_directory, self.maillog_path.parent):
            path.mkdir(mode=0o755)
        self.data_directory.mkdir(mode=0o700)
        shutil.chown(self.data_directory, "postfix", "postfix")
        parameters = (f"{name} = {value}\n" for name, value in self._parameters.items())
        main_cf = self.config_directory / "main.cf"
        main_cf.write_text("".join(parameters))
        # Postfix waits for a main.cf to get a second old, in case that its author is still at it.
        os.utime(main_cf, times=(_LONG_AGO, _LONG_AGO))
        (self.config_directory / "master.cf").write_text("".join(f"{line}\n" for line in self._services))

    def _master_pid(self) -> int | None:
        pid_file = self.queue_directory / "pid" / "master.pid"
        return int(pid_file.read_text()) if pid_file.exists() else None

    def _end_group(self) -> None:
        """End what an unsuccessful stop left: the group is the master's own, made by its setsid."""
        group, self._group = self._group, None
        if group is not None and running_in_group(group):
            os.killpg(group, signal.SIGKILL)

    def _await_end(self, group: int) -> None:
        wait_for(
            f"end of Postfix's process group {group}",
            lambda: not running_in_group(group),
            seconds=COMMAND_SECONDS,
            evidence=self.maillog_tail,
        )
