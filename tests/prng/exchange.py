"""What the tests of the exchange file share: contents, one update, and other processes."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tlsmgr.prng.exchange_file import ExchangeFile

OLD = bytes(range(256)) * 4
FRESH = OLD[::-1]


def update(path: Path, *, fresh: bytes = FRESH, durable: bool = False) -> bytes:
    """Update the file once; return what was read from it."""
    read: list[bytes] = []

    def renew(old: bytes) -> bytes:
        read.append(old)
        return fresh

    with closing(ExchangeFile(path)) as file:
        file.update(renew, durable=durable)
    (old,) = read
    return old


def start(module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a module of this package as another process, with pipes to talk to it."""
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", f"tests.prng.{module}", *arguments],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that the process prints, or nothing at its end."""
    assert process.stdout is not None
    return process.stdout.readline()
