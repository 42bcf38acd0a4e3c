"""What holds for any bytes at all: one function for each reader, which raises where it does not hold.

They know no fuzzer, so that the tests replay with them what one has found.
"""

import random
from collections.abc import Callable, Iterator

from tlsmgr.config.maincf import parse_text
from tlsmgr.errors import ConfigurationError, ProtocolError
from tlsmgr.wire.attributes import RequestReader
from tlsmgr.wire.rpc import CallReader, decode_request

#: Small, so that a fuzzer gets beyond it.
LIMIT = 200

# Longer ones take too long; what is special at one byte is so in short ones too.
_BYTE_BY_BYTE_MAX = 64


def attributes(data: bytes) -> None:
    """The attribute protocol's reader never raises, and gives the same however the bytes are cut."""
    whole = _requests([data])
    for cut in _cuts(data):
        _same(whole, _requests(cut))


def calls(data: bytes) -> None:
    """MessagePack-RPC's readers raise ProtocolError alone, after the same calls for every cut."""
    whole = _calls([data])
    for cut in _cuts(data):
        _same(whole, _calls(cut))


def main_cf(data: bytes) -> None:
    """The reader of main.cf raises ConfigurationError alone, and names the file."""
    try:
        parsed = parse_text(data.decode("utf-8", "surrogateescape"), "main.cf")
    except ConfigurationError as error:
        if "main.cf" not in str(error):
            raise AssertionError(f"the message does not name the file: {error}") from error
        return
    for definition in parsed.definitions:
        if not definition.name or definition.place.line is None:
            raise AssertionError(f"a definition without a name or a line: {definition}")


#: Every target by its name.
TARGETS: dict[str, Callable[[bytes], None]] = {"attributes": attributes, "calls": calls, "main-cf": main_cf}


def _cuts(data: bytes) -> Iterator[list[bytes]]:
    if len(data) <= _BYTE_BY_BYTE_MAX:
        yield [data[position : position + 1] for position in range(len(data))]
    rng = random.Random(data)  # noqa: S311 - the same input is cut in the same way
    places = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    yield [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def _requests(chunks: list[bytes]) -> list[object]:
    reader = RequestReader(LIMIT)
    seen: list[object] = []
    for chunk in chunks:
        reader.feed(chunk)
        while (request := reader.next_request()) is not None:
            seen += [request, reader.warning]
    return [*seen, reader.pending]


def _calls(chunks: list[bytes]) -> list[object]:
    reader = CallReader(LIMIT)
    seen: list[object] = []
    try:
        for chunk in chunks:
            reader.feed(chunk)
            while (call := reader.next_call()) is not None:
                seen += [call, decode_request(call)]
    except ProtocolError:
        return [*seen, "ended"]
    return [*seen, reader.pending]


def _same(whole: list[object], cut: list[object]) -> None:
    if whole != cut:
        raise AssertionError(f"whole: {whole}\ncut: {cut}")
