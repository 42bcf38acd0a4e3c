"""The load generator and the echo server: C, compiled on the spot, as Python would measure itself."""

import json
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.needs import compiler
from benchmark.workloads import Protocol

_SOURCES = Path(__file__).parent
_COMPILE_SECONDS = 60
#: What a run may take beyond the time that it was asked to measure.
_GRACE_SECONDS = 60
#: What sending each of a million requests may take.
_FILL_SECONDS = 1800


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
    return _compiled(name, directory / name)


def compiled_library(name: str, directory: Path) -> Path:
    """Compile ``name``.c into a library that can be preloaded; else as ``compiled``."""
    return _compiled(name, directory / f"{name}.so", "-shared", "-fPIC")


def _compiled(name: str, made: Path, *options: str) -> Path:
    source = _SOURCES / f"{name}.c"
    done = subprocess.run(  # noqa: S603 - the command is this module's own
        [compiler(), "-O2", "-std=gnu11", *options, "-o", made, source],
        capture_output=True,
        text=True,
        timeout=_COMPILE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise LoadError(done.stderr)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenerator:
    """The compiled load generator."""

    path: Path

    def measure(
        self,
        server: Path,
        protocol: Protocol,
        requests: Sequence[bytes],
        *,
        connections: int,
        seconds: float,
        keys: int = 0,
        rate: float = 0.0,
    ) -> Measurement:
        """Keep ``connections`` busy for that long, after a tenth as much to warm up.

        Args:
            server: The socket.
            protocol: What it speaks there.
            requests: Those that are drawn from.
            connections: How many there are; each waits for its reply before it asks again.
            seconds: How long is measured.
            keys: How many ids there are of which one takes the place of KNOWN in a request.
            rate: Requests a second; 0 for as many as are answered. A latency counts from the time
                at which a request was due, also where it had to wait for a free connection.

        Raises:
            LoadError: The run failed, or nothing was answered.
        """
        times = [str(connections), str(seconds / 10), str(seconds)]
        run = [str(server), protocol.value, *times, str(keys), str(rate)]
        figures = self._run(run, requests, timeout=seconds + _GRACE_SECONDS)
        if not figures["requests"]:
            raise LoadError(f"{server}: no answer in {seconds} s")
        return Measurement(
            rate=figures["requests"] / figures["seconds"],
            median=figures["p50_ns"] / 1000,
            p99=figures["p99_ns"] / 1000,
            errors=int(figures["errors"]),
        )

    def send_each(
        self, server: Path, requests: Sequence[bytes], *, keys: int = 0, connections: int = 16
    ) -> None:
        """Send each request once, those with KNOWN once for each key, in the attribute protocol.

        Raises:
            LoadError: One was not answered, or with another status than 0.
        """
        run = [str(server), Protocol.ATTRIBUTES.value, str(connections), "0", "0", str(keys), "0"]
        figures = self._run(run, requests, timeout=_FILL_SECONDS)
        if figures["errors"]:
            raise LoadError(f"{server}: {figures['errors']:.0f} of {figures['requests']:.0f} requests failed")

    def _run(self, run: Sequence[str], requests: Sequence[bytes], *, timeout: float) -> dict[str, float]:
        done = subprocess.run(  # noqa: S603 - likewise
            [str(self.path), *run],
            input=b"".join(struct.pack("=I", len(request)) + request for request in requests),
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise LoadError(f"{run[0]}: {done.stderr.decode(errors='replace').strip()}")
        figures: dict[str, float] = json.loads(done.stdout)
        return figures
