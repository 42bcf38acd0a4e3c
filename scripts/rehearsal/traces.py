"""Searching files for secrets, in every form that programs write bytes in."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: A secret is searched for in pieces of this size, so that a part of it is found as well.
PIECE_BYTES = 24
_BASE64_GROUP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A secret that was found.

    Attributes:
        path: The file.
        secret: The name that it was given, so that no report repeats the secret itself.
        form: How it is written there.
    """

    path: Path
    secret: str
    form: str


def forms(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the ways to write a secret, by name: as it is, hex, base64 at all alignments, escaped."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    yield "escaped", repr(secret)[2:-1].encode()
    yield "urlsafe base64", base64.urlsafe_b64encode(secret)[: len(secret) // _BASE64_GROUP * 4]
    for before in range(_BASE64_GROUP):
        # Only groups of three bytes that are all the secret's own are the same whatever is around it.
        skipped = -before % _BASE64_GROUP
        whole = (len(secret) - skipped) // _BASE64_GROUP * _BASE64_GROUP
        yield f"base64 behind {before} bytes", base64.b64encode(secret[skipped : skipped + whole])


def traces(files: Iterable[Path], secrets: Mapping[str, bytes]) -> list[Trace]:
    """Search the files for the secrets, each of at least PIECE_BYTES.

    Raises:
        ValueError: A secret is shorter: it could be there by chance.
    """
    wanted = [(name, form, text) for name, secret in secrets.items() for form, text in _texts(secret)]
    return [
        Trace(path=path, secret=name, form=form)
        for path in files
        for content in [path.read_bytes()]
        for name, form, text in wanted
        if text in content
    ]


def files_below(directory: Path) -> list[Path]:
    """Return every regular file there is."""
    return sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())


def _texts(secret: bytes) -> Iterator[tuple[str, bytes]]:
    if len(secret) < PIECE_BYTES:
        raise ValueError(f"a secret of {len(secret)} bytes may be found by chance")
    pieces = {secret[:PIECE_BYTES], secret[-PIECE_BYTES:], secret[len(secret) // 2 :][:PIECE_BYTES]}
    for piece in pieces:
        if len(piece) == PIECE_BYTES:
            yield from forms(piece)
