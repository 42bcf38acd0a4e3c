"""docs/client.md: its programs run, and its bytes are what travels."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from rehearsal.checkout import CHECKOUT
from rehearsal.sandbox import Sandbox
from tlsmgr.client import CacheType

_TEXT = (CHECKOUT / "docs" / "client.md").read_text(encoding="utf-8")
_BLOCKS = dict(re.findall(r"<!-- test: ([^>]*?) -->\n```\w*\n(.*?)```", _TEXT, re.DOTALL))
_SAID = "session bytes\n32 random bytes\n"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a running cache server with the session ``abc`` saved under ``id``."""
    with Sandbox() as made:
        made.start("cache-server")
        with made.client() as client:
            client.update(CacheType.SMTPD, b"id", b"abc")
        yield made


@pytest.mark.parametrize(
    ("language", "program"), [("python", sys.executable), ("perl", shutil.which("perl"))]
)
def test_the_programs_do_what_they_are_for(sandbox: Sandbox, language: str, program: str | None) -> None:
    """Save a session, find it again, fetch random bytes."""
    assert program, f"{language} is not installed"
    sockets = {
        "TLSMGR_RUN_DIRECTORY": str(sandbox.run),
        "TLSMGR_SOCKET": str(sandbox.postfix_socket),
    }
    done = subprocess.run(  # noqa: S603 - the program is this checkout's own
        [program, "-"],
        input=_BLOCKS[language],
        env={**os.environ, **sockets},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.stdout, done.stderr) == (_SAID, "")


def _talk(connection: socket.socket, sent: bytes, expected: bytes) -> None:
    connection.sendall(sent)
    received = b""
    while len(received) < len(expected) and (data := connection.recv(len(expected) - len(received))):
        received += data
    assert received == expected


def test_the_bytes_of_messagepack_rpc(sandbox: Sandbox) -> None:
    """Sent as they stand there, they are answered as it stands there."""
    rows = [re.match(r"[0-9a-f ]{0,30}", line) for line in _BLOCKS["rpc bytes"].splitlines()]
    words = "\n".join(row.group() if row else "" for row in rows)
    request, response = (bytes.fromhex(part) for part in words.split("\n\n"))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(sandbox.socket("cache-server")))
        _talk(connection, request, response)


def test_the_bytes_of_the_attribute_protocol(sandbox: Sandbox) -> None:
    """Likewise."""
    lines = [line.split(maxsplit=1) for line in _BLOCKS["attribute bytes"].splitlines()]
    parts = [(who, text.replace(" ", "").replace("\\0", "\0").encode()) for who, text in lines]
    assert [who for who, _ in parts] == ["server", "client", "server"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(sandbox.postfix_socket))
        _talk(connection, b"", parts[0][1])
        _talk(connection, parts[1][1], parts[2][1])
