"""TLS handshakes with an SMTP server by ``openssl s_client``, with sessions kept in files."""

import os
import re
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rehearsal.loopback import HOST
from rehearsal.programs import program

HANDSHAKE_SECONDS = 15.0
# A command whose reply comes after the handshake, and so after the session ticket of TLS 1.3.
_COMMAND, _REPLY = b"noop\r\n", b"250 2.0.0 Ok"
_HANDSHAKE = re.compile(r"^(New|Reused), (\S+), Cipher is", re.MULTILINE)
_SESSION_ID = re.compile(r"^\s*Session-ID: ?([0-9A-F]*)$", re.MULTILINE)


class Mode(Enum):
    """How a session is resumed, and the options of s_client that have it so."""

    SESSION_ID_1_2 = ("-tls1_2", "-no_ticket")
    TICKET_1_2 = ("-tls1_2",)
    TLS_1_3 = ("-tls1_3",)

    @property
    def protocol(self) -> str:
        """The protocol's name as s_client gives it."""
        return "TLSv1.3" if self is Mode.TLS_1_3 else "TLSv1.2"

    @property
    def has_ticket(self) -> bool:
        """Whether the server gives the session to the client, in a ticket."""
        return self is not Mode.SESSION_ID_1_2


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What s_client said of a handshake; ``session_id`` is in hex, empty when it did not say."""

    reused: bool
    protocol: str
    session_id: str


@contextmanager
def connected(
    port: int, mode: Mode, session: Path, *, host: str = HOST, prefix: Sequence[str] = ()
) -> Iterator[Handshake]:
    """Make a TLS connection and keep it while the block runs; s_client runs behind ``prefix``.

    The session in the file ``session`` is offered, if there is one; a new one is
    saved there in any case, once the server sent it.

    Raises:
        AssertionError: no handshake within HANDSHAKE_SECONDS; the message has s_client's words.
    """
    openssl = [*prefix, str(program("openssl"))]
    command = [*openssl, "s_client", "-starttls", "smtp", "-connect", f"{host}:{port}"]
    offer = ["-sess_in", str(session)] if session.exists() else []
    process = subprocess.Popen(  # noqa: S603 - the command is this module's own
        [*command, *mode.value, *offer, "-sess_out", str(session), "-ign_eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        try:
            yield _parsed(_said_after_command(process))
            process.communicate(b"quit\r\n", timeout=HANDSHAKE_SECONDS)
        finally:
            process.kill()


def handshake(
    port: int, mode: Mode, session: Path, *, host: str = HOST, prefix: Sequence[str] = ()
) -> Handshake:
    """Make a TLS connection and end it, with the session in the file ``session`` as ``connected`` has it."""
    with connected(port, mode, session, host=host, prefix=prefix) as result:
        return result


def resumes_twice(port: int, mode: Mode, session: Path) -> list[Handshake]:
    """Make a new session, then resume it, then resume that one; return the three handshakes.

    Raises:
        AssertionError: the server resumed a session that was not there, or did not
            resume one that was.
    """
    made = [handshake(port, mode, session) for _ in range(3)]
    assert [one.reused for one in made] == [False, True, True], made
    return made


def _said_after_command(process: subprocess.Popen[bytes]) -> str:
    assert process.stdin is not None
    process.stdin.write(_COMMAND)
    process.stdin.flush()
    said = b""
    deadline = time.monotonic() + HANDSHAKE_SECONDS
    while _REPLY not in said:
        chunk = _read(process, deadline - time.monotonic())
        assert chunk, f"no handshake\n{said.decode(errors='replace')}"
        said += chunk
    return said.decode(errors="replace")


def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return what the process says next, or nothing if it ended or ``seconds`` went by."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return os.read(process.stdout.fileno(), 65536) if selector.select(max(seconds, 0)) else b""


def _parsed(said: str) -> Handshake:
    found = _HANDSHAKE.search(said)
    assert found, said
    identifiers = _SESSION_ID.findall(said)
    return Handshake(
        reused=found[1] == "Reused",
        protocol=found[2],
        session_id=identifiers[-1] if identifiers else "",
    )
