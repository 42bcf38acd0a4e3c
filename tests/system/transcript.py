"""Conversations with a server, written down with what is random in them masked."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.system.attribute_vectors import SETTINGS, VECTORS, Vector
from tests.system.conversation import AttributeList, Conversation, converse

VECTORS_DIRECTORY = Path(__file__).parent.parent / "vectors"
RECORDED_VERSION = "3.7.11"
_RANDOM = frozenset({"seed", "keybuf"})
_DATA = _RANDOM | {"session"}
_BY_NAME = {one.name: one for one in VECTORS}

#: For each step, the attribute lists that answered it.
Answers: TypeAlias = tuple[tuple[AttributeList, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One connection: the bytes of each step, and the masked answers."""

    steps: tuple[bytes, ...]
    answers: Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What a server with the ``parameters`` of main.cf answered, by the name of the vector."""

    version: str
    parameters: dict[str, str]
    exchanges: dict[str, Exchange]


def masked(conversation: Conversation) -> Answers:
    """Return the answers, with random bytes and left-over bytes given by their number only.

    Left over is what a reply carries although its status says that there is nothing.

    Raises:
        AssertionError: the server sent something that is no whole list.
    """
    assert not any(answer.rest for answer in conversation.answers), conversation
    return tuple(tuple(map(_masked_list, answer.lists)) for answer in conversation.answers)


def _masked_list(pairs: AttributeList) -> AttributeList:
    done = dict(pairs).get("status") == "0"
    return tuple((name, _masked_value(name, value, done=done)) for name, value in pairs)


def _masked_value(name: str, value: str, *, done: bool) -> str:
    if name not in _DATA or not value or (done and name not in _RANDOM):
        return value
    size = len(base64.b64decode(value, validate=True))
    return f"<{size} random bytes>" if done else f"<{size} left-over bytes>"


def record(path: Path, setting: str, *, version: str) -> Transcript:
    """Have the server at ``path`` answer all vectors."""
    exchanges = {one.name: exchange(path, one) for one in VECTORS}
    return Transcript(version=version, parameters=SETTINGS[setting], exchanges=exchanges)


def exchange(path: Path, vector: Vector, *, piece: int | None = None) -> Exchange:
    """Have the server at ``path`` answer one vector, sent in pieces of that many bytes, or whole."""
    return Exchange(steps=vector.steps, answers=masked(converse(path, vector.steps, piece=piece)))


def transcript_path(setting: str, *, version: str = RECORDED_VERSION) -> Path:
    """Return where the transcript of that setting is kept."""
    return VECTORS_DIRECTORY / f"debian-{version}-{setting}.json"


def dumped(transcript: Transcript) -> str:
    """Return the transcript as JSON, a line for each vector; step bytes are in base64.

    A large vector's steps are null there: they are in the table, by the same name.
    """
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(_plain(name, one))}" for name, one in transcript.exchanges.items()
    )
    head = f'"version": {json.dumps(transcript.version)},\n"parameters": {json.dumps(transcript.parameters)}'
    return f'{{\n{head},\n"exchanges": {{\n{lines}\n}}\n}}\n'


def loaded(text: str) -> Transcript:
    """Return the transcript that ``dumped`` gave.

    Raises:
        ValueError, KeyError, TypeError: the text is something else.
    """
    plain = json.loads(text)
    exchanges = {
        name: Exchange(
            steps=_BY_NAME[name].steps
            if one["steps"] is None
            else tuple(map(base64.b64decode, one["steps"])),
            answers=tuple(tuple(tuple(map(tuple, pairs)) for pairs in step) for step in one["answers"]),
        )
        for name, one in plain["exchanges"].items()
    }
    return Transcript(version=plain["version"], parameters=plain["parameters"], exchanges=exchanges)


def _plain(name: str, one: Exchange) -> dict[str, object]:
    large = _BY_NAME[name].is_large
    steps = None if large else [base64.b64encode(step).decode() for step in one.steps]
    return {"steps": steps, "answers": one.answers}
