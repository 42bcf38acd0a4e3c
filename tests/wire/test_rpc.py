import random
import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.chunks import cut, positions, read_all, read_at_once, single_bytes
from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import MalformedRequest
from tlsmgr.wire import rpc

LIMIT = 4096
NEXT = b"\x94\x00\x07\xa4ping\x90"
NEXT_CALL = rpc.Call(message_id=7, method="ping", params=())


def _call(message_id: int | None, method: str, *params: object) -> rpc.Call:
    return rpc.Call(message_id=message_id, method=method, params=params)


def _defect(reason: str) -> rpc.Call:
    return rpc.Call(message_id=1, method="", params=(), defect=reason)


CALLS: dict[bytes, rpc.Call] = {
    b"\x94\x00\x01\xa4seed\x91\x20": _call(1, "seed", 32),
    b"\x94\x00\xce\xff\xff\xff\xff\xa4ping\x90": _call(0xFFFFFFFF, "ping"),
    b"\x94\x00\x01\xc4\x04ping\x90": _call(1, "ping"),
    b"\x94\x00\x01\xa6lookup\x92\xa5smtpd\xc4\x03a\0b": _call(1, "lookup", b"smtpd", b"a\0b"),
    b"\x94\x00\x01\xa6policy\x91\xa2\xff\xfe": _call(1, "policy", b"\xff\xfe"),
    b"\xdc\x00\x04\x00\xcd\x00\x01\xd9\x04ping\xdc\x00\x00": _call(1, "ping"),
    b"\x94\x00\x01\xa2\xff\xff\x90": _call(1, "\\xff\\xff"),
    b"\x94\x00\x01\xa1x\x95\xc0\xc3\xcb\x7f\xf8\0\0\0\0\0\x01\x91\x01\x81\x90\x01": _call(1, "x"),
    b"\x93\x02\xa4stir\x91\xc4\x01z": _call(None, "stir", b"z"),
    b"\x93\x00\x01\xa4ping": _defect("request: expected 4 elements, got 3"),
    b"\x92\x00\x01": _defect("request: expected 4 elements, got 2"),
    b"\x95\x00\x01\xa4ping\x90\x90": _defect("request: expected 4 elements, got 5"),
    b"\x94\x00\x01\x05\x90": _defect("method: expected text"),
    b"\x94\x00\x01\xa4ping\x80": _defect("params: expected an array"),
    b"\x94\x00\x01\xa4ping\xc0": _defect("params: expected an array"),
}

NO_CALLS: dict[str, bytes] = {
    "a number": b"\x05",
    "text": b"\xa4ping",
    "a map": b"\x80",
    "an empty array": b"\x90",
    "a response": b"\x94\x01\x01\xc0\xc0",
    "another type of message": b"\x94\x03\x01\xa1x\x90",
    "a boolean for a type": b"\x94\xc2\x01\xa4ping\x90",
    "a boolean for a message id": b"\x94\x00\xc3\xa4ping\x90",
    "a float for a message id": b"\x94\x00\xcb\x7f\xf8\0\0\0\0\0\0\xa4ping\x90",
    "a negative message id": b"\x94\x00\xff\xa4ping\x90",
    "a message id of 33 bits": b"\x94\x00\xcf\0\0\0\x01\0\0\0\0\xa4ping\x90",
    "a request that is only its type": b"\x91\x00",
    "a notification without params": b"\x92\x02\xa4ping",
    "a notification with a map": b"\x93\x02\xa4ping\x80",
    "the byte that is never used": b"\xc1",
    "a deep nest": b"\x91" * 2000,
    "a deep nest of maps": b"\x81\x01" * 2000,
    "a huge array": b"\xdd\xff\xff\xff\xff",
    "a huge map": b"\xdf\xff\xff\xff\xff",
    "huge text": b"\xdb\xff\xff\xff\xff".ljust(LIMIT + 1),
    "huge data": b"\xc6\xff\xff\xff\xff".ljust(LIMIT + 1),
    "a message over the limit": b"\x94\x00\x01\xa1x\x91\xc5\x10\x00" + bytes(4096),
    "an extension": b"\x94\x00\x01\xa1x\x91\xd4\x05a",
    "an empty extension": b"\x94\x00\x01\xa1x\x91\xc7\x00\x05",
    "a timestamp": b"\x94\x00\x01\xa1x\x91\xd6\xff\0\0\0\0",
    "a timestamp of no length": b"\x94\x00\x01\xa1x\x91\xc7\x00\xff",
    "a huge extension": b"\xc9\xff\xff\xff\xff\x05".ljust(LIMIT + 1),
}

_noise = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(sorted(CALLS)),
    st.sampled_from(sorted(data for data in NO_CALLS.values() if len(data) < 40)),
    st.sampled_from([b"\x94\x00", b"\x94", b"\x82", b"\x91" * 20, b"\xc5\x01\x00", b"\xd9\x50" + b"x" * 80]),
)
streams = st.lists(_noise, max_size=10).map(b"".join)


def outcome(chunks: list[bytes], limit: int = LIMIT) -> tuple[list[str], str | None]:
    """Return the calls as text, since NaN differs from itself, and the error that ended them."""
    reader = rpc.CallReader(limit)
    calls: list[str] = []
    for chunk in chunks:
        reader.feed(chunk)
        try:
            while (call := reader.next_call()) is not None:
                calls.append(f"{call} {call.params}")
        except ProtocolError as error:
            return calls, str(error)
    return calls, None


@pytest.mark.parametrize("data", CALLS)
def test_a_call_is_read_in_any_chunks(data: bytes) -> None:
    """Whole, byte by byte, in random chunks, and with the next message behind it."""
    source = random.Random(data)  # noqa: S311 - reproducible, and no secret
    expected = outcome([data])
    assert expected[1] is None
    for _ in range(20):
        where = [source.randrange(len(data) + 1) for _ in range(source.randrange(1, 6))]
        assert outcome(cut(data, where)) == expected
    assert outcome(single_bytes(data)) == expected
    behind = ([*expected[0], f"{NEXT_CALL} ()"], None)
    assert outcome([data + NEXT]) == outcome([data, NEXT]) == outcome(single_bytes(data + NEXT)) == behind


@pytest.mark.parametrize(("data", "expected"), CALLS.items())
def test_a_call_is_what_the_specification_says(data: bytes, expected: rpc.Call) -> None:
    """Text and data arrive as bytes, and what can be answered has a message id."""
    reader = rpc.CallReader(LIMIT)
    [call] = read_all(reader, reader.next_call, [data])
    assert not reader.pending
    assert (call.message_id, call.method, call.defect) == (
        expected.message_id,
        expected.method,
        expected.defect,
    )
    if call.method != "x":
        assert call == expected


@pytest.mark.parametrize("data", NO_CALLS.values(), ids=NO_CALLS)
def test_what_is_no_call_ends_the_connection(data: bytes) -> None:
    """A ProtocolError, the same however it is cut, and the calls before it are given."""
    calls, error = outcome([NEXT + data])
    assert calls == [f"{NEXT_CALL} ()"]
    assert error is not None
    assert outcome([NEXT, *single_bytes(data)]) == (calls, error)


def test_a_reader_that_failed_goes_on_failing() -> None:
    """No call is read out of bytes behind the broken ones."""
    reader = rpc.CallReader(LIMIT)
    reader.feed(b"\xc1")
    for _ in range(2):
        with pytest.raises(ProtocolError):
            reader.next_call()
        reader.feed(NEXT)


@given(streams, positions, st.integers(min_value=8, max_value=300))
def test_any_bytes_give_calls_or_a_protocol_error(stream: bytes, where: list[int], limit: int) -> None:
    """Never another exception, and the same for any cut and any limit."""
    whole = outcome([stream], limit)
    assert outcome(cut(stream, where), limit) == whole
    assert outcome(single_bytes(stream), limit) == whole


def test_a_message_may_be_as_long_as_the_limit() -> None:
    """The limit counts the bytes of one message, not of a chunk."""
    overhead = len(rpc.encode_call(1, "stir", [bytes(3000)])) - 3000
    call = rpc.encode_call(1, "stir", [bytes(LIMIT - overhead)])
    assert len(call) == LIMIT
    assert len(outcome([call * 5])[0]) == 5
    assert outcome([call * 5]) == outcome(cut(call * 5, range(0, 5 * LIMIT, 1000)))


@pytest.mark.parametrize(
    "data", [b"\xdc\x00\x10" * 1000, b"\xdd\x00\x00\xff\xff" * 1000, b"\xc6\x7f\xff\xff\xff"]
)
def test_a_few_bytes_cannot_take_much_memory(data: bytes) -> None:
    """A length that is only declared reserves nothing that counts."""
    tracemalloc.start()
    try:
        outcome([data], limit=65536)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_half_message_is_pending() -> None:
    """Between two messages nothing is pending."""
    reader = rpc.CallReader(LIMIT)
    pending = [reader.pending]
    for chunk in (NEXT + NEXT[:3], NEXT[3:]):
        assert read_all(reader, reader.next_call, [chunk]) == [NEXT_CALL]
        pending.append(reader.pending)
    assert pending == [False, True, False]


def test_a_call_hides_its_params() -> None:
    """A session in a call, or a seed in a response, does not get into a log by way of repr."""
    call = _call(1, "update", b"secret")
    response = rpc.Response(message_id=1, error=None, result={"seed": b"secret"})
    assert "secret" not in repr(call) + repr(response)


_scalars = st.one_of(
    st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1),
    st.binary(max_size=40),
    st.none(),
    st.booleans(),
)


@given(
    st.integers(min_value=0, max_value=(1 << 32) - 1), st.text(max_size=20), st.lists(_scalars, max_size=5)
)
def test_calls_come_back(message_id: int, method: str, params: list[object]) -> None:
    """What a client sends is what the server reads."""
    reader = rpc.CallReader(LIMIT)
    stream = rpc.encode_call(message_id, method, params) + rpc.encode_notification(method, params)
    read = read_all(reader, reader.next_call, [stream])
    assert read == [_call(message_id, method, *params), _call(None, method, *params)]


def _shown(read: rpc.WholeRequest | rpc.Call) -> object:
    """Return what both ways give; as text, since a param may be a number that is not equal to itself."""
    if isinstance(read, rpc.Call):
        request = rpc.decode_request(read)
        if read.message_id is None or isinstance(request, MalformedRequest):
            return repr((read.message_id, read.method, read.params, read.defect))
        return read.message_id, read.method, request
    return read


@given(st.lists(st.sampled_from(sorted(CALLS)), max_size=4).map(b"".join), positions)
def test_the_short_way_gives_what_the_long_one_gives(stream: bytes, where: list[int]) -> None:
    """Whether a chunk is one whole call, several, or a part."""
    for chunks in ([stream], cut(stream, where), single_bytes(stream)):
        short, long = rpc.CallReader(LIMIT), rpc.CallReader(LIMIT)
        expected = [_shown(call) for call in read_all(long, long.next_call, chunks)]
        assert [
            _shown(each) for each in read_at_once(short.take_request, short.next_call, chunks)
        ] == expected
        assert not short.pending


def test_a_response_is_read() -> None:
    """Text is text, data is data, arrays are tuples; whole and byte by byte."""
    stream = rpc.encode_result(1, {"pid": 7, "names": ["a", b"b"]}) + rpc.encode_error(2, Status.FAILED, "no")
    expected = [
        rpc.Response(message_id=1, error=None, result={"pid": 7, "names": ("a", b"b")}),
        rpc.Response(message_id=2, error={"status": -2, "message": "no"}, result=None),
    ]
    for chunks in ([stream], single_bytes(stream)):
        reader = rpc.ResponseReader(LIMIT)
        assert read_all(reader, reader.next_response, chunks) == expected


@given(st.one_of(streams, st.binary(max_size=60)))
def test_any_bytes_give_responses_or_a_protocol_error(stream: bytes) -> None:
    """A broken server cannot make a client fail in another way."""
    reader = rpc.ResponseReader(100)
    try:
        read_all(reader, reader.next_response, [stream])
    except ProtocolError as error:
        assert str(error)  # noqa: PT017 - not raising is as good


def test_another_implementation_reads_what_is_sent() -> None:
    """The bytes are plain MessagePack in the form of the specification."""
    assert msgpack.unpackb(rpc.encode_call(1, "seed", [32])) == [0, 1, "seed", [32]]
    assert msgpack.unpackb(rpc.encode_notification("stir", [b"x"])) == [2, "stir", [b"x"]]
    error = [1, 2, {"status": -2, "message": "why"}, None]
    assert msgpack.unpackb(rpc.encode_error(2, Status.FAILED, "why")) == error
    assert msgpack.unpackb(rpc.encode_error(2, Status.NOT_DONE, "\udcff"))[2]["message"] == "\\udcff"
