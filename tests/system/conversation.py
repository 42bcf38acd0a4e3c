"""A talk with a server of the attribute protocol, as bytes, and what was said in it."""

import base64
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ANSWER_SECONDS = 10.0
KEY_NAME = b"@KEYNAME@"
KEY_NAME_SIZE = 16

AttributeList: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came after one step: whole attribute lists, and the bytes behind the last of them."""

    lists: tuple[AttributeList, ...]
    rest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The server's first words, and its answer to each step."""

    greeting: Answer
    answers: tuple[Answer, ...]


def converse(path: Path, steps: Sequence[bytes], *, piece: int | None = None) -> Conversation:
    """Send the steps to the server at ``path``, and return what it answered.

    Each step is written at once, or in pieces of ``piece`` bytes.

    Each step but the last waits for one whole list. After the last one our side is
    closed for writing, and what follows until the server closes is its answer. The
    token KEY_NAME stands for the name of the last ticket key that came, in base64.

    Raises:
        TimeoutError: the server was silent for ANSWER_SECONDS.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        greeting = _read_list(connection)
        answers: list[Answer] = []
        for number, step in enumerate(steps, start=1):
            _send(connection, step.replace(KEY_NAME, _key_name(answers)), piece)
            answers.append(_read_list(connection) if number < len(steps) else _read_to_end(connection))
        return Conversation(greeting=greeting, answers=tuple(answers))


def parsed(data: bytes) -> Answer:
    """Take ``data`` apart into the whole lists in it, and the rest."""
    lists: list[AttributeList] = []
    pairs: list[tuple[str, str]] = []
    fields = data.split(b"\0")[:-1]
    position = used = 0
    while position < len(fields):
        if fields[position] == b"":
            lists.append(tuple(pairs))
            pairs = []
            position += 1
            used = position
        elif position + 1 < len(fields):
            pairs.append((_text(fields[position]), _text(fields[position + 1])))
            position += 2
        else:
            break
    kept = sum(len(field) + 1 for field in fields[:used])
    return Answer(lists=tuple(lists), rest=data[kept:])


def _text(field: bytes) -> str:
    return field.decode("latin-1")


def _send(connection: socket.socket, data: bytes, piece: int | None) -> None:
    size = piece or len(data) or 1
    try:
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
    except BrokenPipeError:
        # The server closed before it had read all: its answer shows whether that was right.
        return


def _read_list(connection: socket.socket) -> Answer:
    data = b""
    while not (answer := parsed(data)).lists:
        chunk = _receive(connection)
        if not chunk:
            return answer
        data += chunk
    return answer


def _read_to_end(connection: socket.socket) -> Answer:
    connection.shutdown(socket.SHUT_WR)
    data = b""
    while chunk := _receive(connection):
        data += chunk
    return parsed(data)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        # A UNIX socket says so when the server closes with bytes of ours unread.
        return b""


def _key_name(answers: Sequence[Answer]) -> bytes:
    buffers = [
        value for answer in answers for pairs in answer.lists for name, value in pairs if name == "keybuf"
    ]
    return base64.b64encode(base64.b64decode(buffers[-1])[:KEY_NAME_SIZE]) if buffers else b""
