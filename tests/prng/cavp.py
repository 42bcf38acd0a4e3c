"""Reads the response files of NIST's Cryptographic Algorithm Validation Program."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

VECTORS = Path(__file__).parent / "vectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """One test: the inputs of instantiate, reseed and two generates, and the second output."""

    group: str
    count: int
    entropy: bytes
    nonce: bytes
    personalization: bytes
    reseed: tuple[bytes, bytes] | None
    additional: tuple[bytes, bytes]
    returned: bytes


def read_vectors(path: Path) -> Iterator[Vector]:
    """Yield the vectors of a DRBG response file, whose lines end in CRLF.

    An algorithm line such as ``[SHA-512]`` begins a new group; the bracketed lines
    after it describe the group. ``AdditionalInput`` stands twice, in order.
    """
    group: list[str] = []
    fields: list[tuple[str, str]] = []
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith("["):
            # Only the algorithm line has no value; it resets what the former group said.
            group = [*group, line] if "=" in line else [line]
        elif " = " in line:
            name, _, value = line.partition(" = ")
            fields.append((name, value.strip()))
            if name == "ReturnedBits":
                yield _vector("".join(group), fields)
                fields = []


def _vector(group: str, fields: list[tuple[str, str]]) -> Vector:
    values = dict(fields)
    first, second = (bytes.fromhex(value) for name, value in fields if name == "AdditionalInput")
    reseed = None
    if "EntropyInputReseed" in values:
        reseed = (
            bytes.fromhex(values["EntropyInputReseed"]),
            bytes.fromhex(values["AdditionalInputReseed"]),
        )
    return Vector(
        group=group,
        count=int(values["COUNT"]),
        entropy=bytes.fromhex(values["EntropyInput"]),
        nonce=bytes.fromhex(values["Nonce"]),
        personalization=bytes.fromhex(values["PersonalizationString"]),
        reseed=reseed,
        additional=(first, second),
        returned=bytes.fromhex(values["ReturnedBits"]),
    )
