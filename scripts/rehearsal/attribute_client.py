"""A blocking client of the Postfix attribute protocol, as smtpd(8) is one."""

import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tlsmgr.messages import Reply, Request, Verb
from tlsmgr.wire.attribute_client import ReplyReader, encode_request

_LIMIT = 1 << 20
_TIMEOUT_SECONDS = 15.0


class AttributeClient:
    """One connection, which has read the announcement."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        self._socket.connect(str(path))
        self._reader = ReplyReader(_LIMIT)
        while not self._reader.read_announcement():
            self._reader.feed(self._receive())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, requests: Sequence[Request]) -> None:
        """Send the requests in one piece, without waiting for a reply."""
        self._socket.sendall(b"".join(map(encode_request, requests)))

    def send_bytes(self, data: bytes) -> None:
        """Send any bytes."""
        self._socket.sendall(data)

    def reply(self, verb: Verb | None) -> Reply:
        """Return the next reply."""
        while (reply := self._reader.next_reply(verb)) is None:
            self._reader.feed(self._receive())
        return reply

    def ask(self, request: Request, verb: Verb) -> Reply:
        """Send one request and return its reply."""
        self.send([request])
        return self.reply(verb)

    def is_ended(self) -> bool:
        """Wait for the server to end the connection; whatever else it sends is a failure."""
        return self._socket.recv(1) == b""

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server ended the connection")
        return data
