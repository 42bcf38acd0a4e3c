"""Real redis-server processes: each with a directory, a socket and perhaps a port of its own."""

import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from rehearsal.loopback import HOST
from rehearsal.programs import program
from rehearsal.waiting import wait_for

_READY_SECONDS = 20.0
_STOP_SECONDS = 10.0


class RedisServer:
    """A server that listens on a UNIX socket, and with ``port`` also on the loopback address.

    Args:
        directory: where its socket, its log and its data go.
        options: lines of its configuration.
        port: 0 for none.
        sentinel: whether it is a sentinel.
        prefix: what its command begins with, such as nsenter and its options.
    """

    def __init__(
        self,
        directory: Path,
        options: Sequence[str] = (),
        *,
        port: int = 0,
        sentinel: bool = False,
        prefix: Sequence[str] = (),
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.socket = directory / "redis.sock"
        self.port = port
        lines = (
            f"port {port}",
            f"bind {HOST}",
            f"unixsocket {self.socket}",
            f"dir {directory}",
            f"logfile {directory / 'redis.log'}",
            'save ""',
            *options,
        )
        if sentinel:
            lines = tuple(line for line in lines if not line.startswith("save"))
        self._configuration = directory / "redis.conf"
        self._configuration.write_text("".join(f"{line}\n" for line in lines))
        self._is_sentinel = sentinel
        self._prefix = tuple(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its UNIX socket."""
        return f"unix://{self.socket}"

    @property
    def tcp_url(self) -> str:
        """The URL of its port."""
        return f"redis://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers."""
        found = program("redis-server")
        if found is None:
            raise AssertionError("redis-server is missing; scripts/test installs it")
        command = [*self._prefix, str(found), str(self._configuration)]
        command += ["--sentinel"] if self._is_sentinel else []
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # our own arguments
        if wait:
            wait_for("redis-server", self._answers, seconds=_READY_SECONDS)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)
            self._process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Have it neither answer nor end for a while: SIGSTOP."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def ask(self, *words: bytes | str) -> bytes:
        """Return the answer to one command, as it is on the wire."""
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(5)
            client.connect(str(self.socket))
            client.sendall(_encoded(words))
            return _whole_answer(client)

    def keys(self) -> list[bytes]:
        """Return all keys of database 0."""
        return self.ask("KEYS", "*").split(b"\r\n")[2::2]

    def value(self, key: bytes) -> bytes:
        """Return the value of a key."""
        head, _, rest = self.ask("GET", key).partition(b"\r\n")
        return rest[: int(head[1:])]

    def calls(self, command: str) -> int:
        """Return how often clients sent a command, as the server counts."""
        for line in self.ask("INFO", "commandstats").decode().splitlines():
            if line.startswith(f"cmdstat_{command}:calls="):
                return int(line.partition("calls=")[2].partition(",")[0])
        return 0

    def _answers(self) -> bool:
        try:
            return self.ask("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


def _encoded(words: Sequence[bytes | str]) -> bytes:
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _whole_answer(client: socket.socket) -> bytes:
    answer = b""
    while not _is_whole(answer):
        more = client.recv(65536)
        if not more:
            break
        answer += more
    return answer


def _is_whole(answer: bytes) -> bool:
    kind = answer[:1]
    if kind == b"$" and b"\r\n" in answer:
        head, _, rest = answer.partition(b"\r\n")
        return int(head[1:]) < 0 or len(rest) == int(head[1:]) + 2
    if kind == b"*" and b"\r\n" in answer:
        head, _, rest = answer.partition(b"\r\n")
        return rest.count(b"\r\n") >= 2 * int(head[1:])
    return answer.endswith(b"\r\n")
