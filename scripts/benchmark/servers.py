"""The servers that are compared, each on a private directory of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.needs import TLSMGR, program
from rehearsal.process_table import members, resident
from rehearsal.waiting import NotInTimeError, wait_for
from tlsmgr.cli.workers import WORKERS

_OWNER = "postfix"
_READY_SECONDS = 20.0
_STOP_SECONDS = 20.0
_LONG_AGO = 1_000_000_000


class ServerError(Exception):
    """A server does not start, or does not stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs.

    Attributes:
        name: What the report calls it.
        path: The socket where it speaks the attribute protocol.
        rpc_path: The socket where it speaks MessagePack-RPC, if it does.
        processes: The numbers of its processes, by name.
        group: The process group of a server whose processes come and go.
    """

    name: str
    path: Path
    rpc_path: Path | None = None
    processes: Mapping[str, int] | None = None
    group: int | None = None

    def memory(self) -> dict[str, int]:
        """Return the resident memory of each of its processes in KiB, by name."""
        processes = dict(self.processes or {})
        if self.group is not None:
            processes |= {name: number for name, number in members(self.group) if name == "tlsmgr"}
        return {name: resident(number) for name, number in processes.items()}


@contextmanager
def debian(directory: Path) -> Iterator[Server]:
    """Run the tlsmgr of the installed Postfix, under a master that has no other service.

    Raises:
        ServerError: Postfix does not start or stop; the message has its own words.
    """
    config = _configure(directory, "btree")
    (config / "master.cf").write_text(
        "tlsmgr unix - - n 1000? 1 tlsmgr\npostlog unix-dgram n - n - 1 postlogd\n"
    )
    _postfix(config, "check")
    _postfix(config, "start")
    try:
        group = int((directory / "queue/pid/master.pid").read_text())
        path = directory / "queue/private/tlsmgr"
        yield Server(name="debian", path=path, group=group)
    finally:
        _postfix(config, "stop")


@contextmanager
def ours(directory: Path) -> Iterator[Server]:
    """Run our three workers.

    Raises:
        ServerError: They do not start or stop; the message has the end of their log.
    """
    config = _configure(directory, "diskcache")
    private = directory / "queue/private"
    private.mkdir(mode=0o700)
    shutil.chown(private, _OWNER)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "MAIL_CONFIG": str(config)}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(_process([str(TLSMGR), "serve", name], directory / name, environment))
            for name in WORKERS
        }
        sockets = {name: directory / f"data/run/{name}.sock" for name in WORKERS}
        path = private / "tlsmgr"
        _await([path, *sockets.values()], list(processes.values()), directory)
        numbers = {name: process.pid for name, process in processes.items()}
        yield Server(name="ours", path=path, rpc_path=sockets["cache-server"], processes=numbers)


@contextmanager
def echo(directory: Path, command: Path) -> Iterator[Server]:
    """Run the compiled server that does nothing but answer."""
    path = directory / "echo.sock"
    with _process([str(command), str(path)], directory / "echo.log", {}) as process:
        _await([path], [process], directory)
        yield Server(name="echo", path=path)


def _configure(directory: Path, database: str) -> Path:
    """Write a main.cf with the same parameters for every server, the database's type apart."""
    config, data = directory / "etc", directory / "data"
    for each in (config, directory / "queue", directory / "log"):
        each.mkdir(mode=0o755)
    data.mkdir(mode=0o700)
    shutil.chown(data, _OWNER, _OWNER)
    main_cf = config / "main.cf"
    main_cf.write_text(
        f"compatibility_level = 3.6\n"
        f"queue_directory = {directory}/queue\n"
        f"data_directory = {data}\n"
        f"maillog_file = {directory}/log/maillog\n"
        f"maillog_file_prefixes = {directory}/log\n"
        f"mail_owner = {_OWNER}\n"
        f"inet_interfaces = 127.0.0.1\n"
        f"inet_protocols = ipv4\n"
        f"alias_maps =\n"
        f"alias_database =\n"
        f"smtpd_tls_session_cache_database = {database}:${{data_directory}}/smtpd_scache\n"
    )
    # Postfix waits for a main.cf to get a second old, in case that its author is still at it.
    os.utime(main_cf, times=(_LONG_AGO, _LONG_AGO))
    return config


def _postfix(config: Path, verb: str) -> None:
    # The output goes to a file: the master inherits it, and would keep a pipe open for good.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # noqa: S603 - the command is this module's own
            [program("postfix"), "-c", str(config), verb],
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_STOP_SECONDS,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if done.returncode != 0:
        raise ServerError(f"postfix {verb}: exit {done.returncode}: {said}")


@contextmanager
def _process(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - likewise
            command, stdout=output, stderr=output, env=dict(environment), cwd="/"
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(sockets: Sequence[Path], processes: Sequence["subprocess.Popen[bytes]"], directory: Path) -> None:
    def logs() -> str:
        return "".join(path.read_text(errors="replace") for path in directory.iterdir() if path.is_file())

    def listening() -> bool:
        if any(process.poll() is not None for process in processes):
            raise ServerError(f"a process has ended\n{logs()}")
        return all(map(_is_listening, sockets))

    what = f"server that listens on {', '.join(map(str, sockets))}"
    try:
        wait_for(what, listening, seconds=_READY_SECONDS, evidence=logs)
    except NotInTimeError as error:
        raise ServerError(str(error)) from error


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
