"""The servers that are compared, each on a private directory of its own."""

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.mail_server import mail_server_parameters, smtpd_service
from rehearsal.loopback import free_port
from rehearsal.private_postfix import TLSMGR_SERVICE, PrivatePostfix
from rehearsal.process_table import resident
from rehearsal.waiting import wait_for
from rehearsal.workers import Workers
from tlsmgr.cli.workers import WORKERS

#: The name of our socket, which no service of Postfix's own has.
_SERVICE = "tlsmgr-cache"
_STOP_SECONDS = 20.0
_READ_SIZE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs.

    Attributes:
        name: What the report calls it.
        path: The socket where it speaks the attribute protocol.
        rpc_path: The socket where it speaks MessagePack-RPC, if it does.
        processes: Gives the numbers of its processes, by name: only those that do a tlsmgr's work.
        confined: Gives all that have to run where the server runs: what starts its processes, too.
        data: The directory with its database, if it has one.
    """

    name: str
    path: Path
    rpc_path: Path | None = None
    processes: Callable[[], Mapping[str, int]]
    confined: Callable[[], list[int]]
    data: Path | None = None

    def memory(self) -> dict[str, int]:
        """Return the resident memory of each of its processes in KiB, by name."""
        return {name: resident(number) for name, number in self.processes().items()}

    def warm(self) -> None:
        """Read its database once, so that the kernel has it in memory: no disk is measured.

        A virtual machine's kernel may give back in a minute what nobody reads.
        """
        for path in self.data.rglob("*") if self.data else ():
            # A file of a moment's use may be gone by now.
            with suppress(FileNotFoundError):
                _read(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A Postfix with an SMTP server that speaks TLS from the first byte, and the tlsmgr that serves it.

    Attributes:
        tlsmgr: The server that is measured.
        port: The SMTP server's, of the loopback interface.
    """

    tlsmgr: Server
    port: int


@contextmanager
def debian(directory: Path, *, preload: Path | None = None) -> Iterator[MailServer]:
    """Run the installed Postfix with its own tlsmgr.

    Args:
        directory: Empty; user postfix can enter it.
        preload: A library that all of Postfix's processes load first.

    Raises:
        AssertionError: Postfix does not start or stop; the message has its own words.
    """
    parameters = mail_server_parameters(directory, "btree")
    if preload is not None:
        parameters["import_environment"] = f"MAIL_CONFIG LD_PRELOAD={preload}"
    port = free_port()
    services = [TLSMGR_SERVICE, smtpd_service(port)]
    with PrivatePostfix(directory, parameters=parameters, services=services) as postfix:

        def processes() -> dict[str, int]:
            return {name: number for name, number in postfix.processes() if name == "tlsmgr"}

        path = postfix.socket_path("tlsmgr")
        tlsmgr = Server(
            name="debian",
            path=path,
            processes=processes,
            confined=partial(_numbers, postfix),
            data=postfix.data_directory,
        )
        yield MailServer(tlsmgr=tlsmgr, port=port)


@contextmanager
def ours(
    directory: Path, *, name: str = "ours", changes: Mapping[str, str] | None = None
) -> Iterator[MailServer]:
    """Run the installed Postfix with our three workers, under supervisord, in place of its tlsmgr.

    Args:
        directory: Empty; user postfix can enter it.
        name: What the report calls it.
        changes: Parameters that it has otherwise than usual.

    Raises:
        AssertionError: They do not start or stop; the message has the end of the logs.
    """
    parameters = mail_server_parameters(directory, "diskcache") | {"tlsmgr_service_name": _SERVICE}
    parameters |= changes or {}
    port = free_port()
    postfix = PrivatePostfix(directory, parameters=parameters, services=[smtpd_service(port)])
    postfix.prepare()
    run = postfix.data_directory / "run"
    with Workers(directory / "supervisor", config_directory=postfix.config_directory), postfix:
        numbers = {name: int((run / f"{name}.pid").read_text()) for name in WORKERS}
        tlsmgr = Server(
            name=name,
            path=postfix.socket_path(_SERVICE),
            rpc_path=run / "cache-server.sock",
            processes=lambda: numbers,
            confined=lambda: [*numbers.values(), *_numbers(postfix)],
            data=postfix.data_directory,
        )
        yield MailServer(tlsmgr=tlsmgr, port=port)


@contextmanager
def echo(directory: Path, command: Path) -> Iterator[Server]:
    """Run the compiled server that does nothing but answer."""
    path = directory / "echo.sock"
    process = subprocess.Popen([command, path], cwd="/")  # noqa: S603 - compiled from our own source
    try:
        wait_for(f"server that listens on {path}", lambda: _is_listening(path))
        numbers = {"echo": process.pid}
        yield Server(name="echo", path=path, processes=lambda: numbers, confined=lambda: [process.pid])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_SECONDS)


def _numbers(postfix: PrivatePostfix) -> list[int]:
    return [number for _, number in postfix.processes()]


def _read(path: Path) -> None:
    if path.is_file():
        with path.open("rb", buffering=0) as file:
            while file.read(_READ_SIZE):
                pass


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
