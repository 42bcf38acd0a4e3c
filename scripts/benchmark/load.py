"""The load generator and the echo server: C, compiled on the spot, as Python would measure itself."""

import json
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.needs import program
from benchmark.workloads import Protocol

_SOURCES = Path(__file__).parent
_COMPILE_SECONDS = 60
#: What a run may take beyond the time that it was asked to measure.
_GRACE_SECONDS = 60


class LoadError(Exception):
    """A measurement failed: a server ended a connection, was silent, or answered with errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run of the load generator counted.

    Attributes:
        rate: Requests a second.
        median: Latency in microseconds.
        p99: The 99th percentile of the latency in microseconds.
        errors: Replies with another status than 0.
    """

    rate: float
    median: float
    p99: float
    errors: int


def compiled(name: str, directory: Path) -> Path:
    """Compile ``name``.c into ``directory``, and return the program's path.

    Raises:
        LoadError: The compiler refuses it; the message has its own words.
    """
    made = directory / name
    command = [program("cc"), "-O2", "-std=gnu11", "-o", str(made), str(_SOURCES / f"{name}.c")]
    done = subprocess.run(  # noqa: S603 - the command is this module's own
        command, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False
    )
    if done.returncode != 0:
        raise LoadError(done.stderr)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenerator:
    """The compiled load generator."""

    path: Path

    def measure(
        self, server: Path, protocol: Protocol, requests: Sequence[bytes], *, connections: int, seconds: float
    ) -> Measurement:
        """Keep ``connections`` busy for that long, after a tenth as much to warm up.

        Raises:
            LoadError: The run failed, or nothing was answered.
        """
        figures = self._run(server, protocol, requests, connections, seconds)
        if not figures["requests"]:
            raise LoadError(f"{server}: no answer in {seconds} s")
        return Measurement(
            rate=figures["requests"] / figures["seconds"],
            median=figures["p50_ns"] / 1000,
            p99=figures["p99_ns"] / 1000,
            errors=int(figures["errors"]),
        )

    def send_each(self, server: Path, requests: Sequence[bytes], *, connections: int = 16) -> None:
        """Send each request once, in the attribute protocol.

        Raises:
            LoadError: One was not answered, or with another status than 0.
        """
        figures = self._run(server, Protocol.ATTRIBUTES, requests, connections, 0.0)
        if figures["errors"]:
            raise LoadError(f"{server}: {figures['errors']} of {len(requests)} requests failed")

    def _run(
        self, server: Path, protocol: Protocol, requests: Sequence[bytes], connections: int, seconds: float
    ) -> dict[str, float]:
        command = [
            str(self.path),
            str(server),
            protocol.value,
            str(connections),
            str(seconds / 10),
            str(seconds),
        ]
        done = subprocess.run(  # noqa: S603 - likewise
            command,
            input=b"".join(struct.pack("=I", len(request)) + request for request in requests),
            capture_output=True,
            timeout=seconds + _GRACE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LoadError(f"{server}: {done.stderr.decode(errors='replace').strip()}")
        figures: dict[str, float] = json.loads(done.stdout)
        return figures
