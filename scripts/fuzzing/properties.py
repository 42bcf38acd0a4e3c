"""What holds for any bytes at all: one function for each reader, which raises where it does not hold.

They know no fuzzer, so that the tests replay with them what one has found.
"""

import random
from collections.abc import Callable, Iterator

import msgpack

from tlsmgr.config.maincf import parse_text
from tlsmgr.errors import ConfigurationError, ProtocolError
from tlsmgr.messages import LookupRequest, MalformedRequest
from tlsmgr.wire.attributes import RequestReader
from tlsmgr.wire.rpc import Call, CallReader, decode_request
from tlsmgr.wire.rpc_lookups import Lookup

#: Small, so that a fuzzer gets beyond it.
LIMIT = 200

# Longer ones take too long; what is special at one byte is so in short ones too.
_BYTE_BY_BYTE_MAX = 64


def attributes(data: bytes) -> None:
    """The attribute protocol's reader never raises, and gives the same by each way and for every cut."""
    whole = _requests([data])
    for cut in _cuts(data):
        _same(whole, _requests(cut))
        _same(whole, _requests(cut, whole_first=True))
    _same(whole, _requests([data], whole_first=True))


def calls(data: bytes) -> None:
    """MessagePack-RPC's readers raise ProtocolError alone, after the same calls each way and cut."""
    whole = _calls([data])
    for cut in _cuts(data):
        _same(whole, _calls(cut))
        _same(whole, _calls(cut, whole_first=True))
    _same(whole, _calls([data], whole_first=True))


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


def _requests(chunks: list[bytes], *, whole_first: bool = False) -> list[object]:
    reader = RequestReader(LIMIT)
    seen: list[object] = []
    for chunk in chunks:
        if whole_first:
            found = reader.find_lookup(chunk)
            whole = reader.take_whole(chunk)
            if found is not None:
                _same([LookupRequest(cache_type=found[0], cache_id=found[1])], [whole])
            if whole is not None:
                seen += [whole, None]
        else:
            reader.feed(chunk)
        while (request := reader.next_request()) is not None:
            seen += [request, reader.warning]
    return [*seen, reader.pending]


def _calls(chunks: list[bytes], *, whole_first: bool = False) -> list[object]:
    reader = CallReader(LIMIT)
    seen: list[object] = []
    try:
        for chunk in chunks:
            if whole_first:
                found = reader.find_lookup(chunk)
                whole = reader.take_request(chunk)
                if found is not None:
                    _same(_whole_lookup(found), [whole])
                if whole is not None:
                    seen += [whole[0], whole[1], whole[2]]
            else:
                reader.feed(chunk)
            while (call := reader.next_call()) is not None:
                seen += _shown(call)
    except ProtocolError:
        return [*seen, "ended"]
    return [*seen, reader.pending]


def _whole_lookup(lookup: Lookup) -> list[object]:
    message_id, cache_type, cache_id = lookup
    number = msgpack.unpackb(message_id)
    return [(number, "lookup", LookupRequest(cache_type=cache_type, cache_id=cache_id))]


def _shown(call: Call) -> list[object]:
    request = decode_request(call)
    if call.message_id is not None and not isinstance(request, MalformedRequest):
        return [call.message_id, call.method, request]
    # As text: a param that is no number is not even equal to itself.
    return [call.message_id, call.method, repr(call.params), call.defect, request]


def _same(whole: list[object], cut: list[object]) -> None:
    if whole != cut:
        raise AssertionError(f"one way: {whole}\nthe other: {cut}")
