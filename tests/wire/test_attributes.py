import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.chunks import cut, positions, read_all, read_at_once, single_bytes
from tests.wire.vectors import ATTRIBUTE_VECTORS, LIMIT, AttributeVector, attributes
from tlsmgr.errors import Status
from tlsmgr.messages import (
    LookupReply,
    MalformedRequest,
    PolicyReply,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    StatusReply,
    TicketKeyReply,
    Verb,
    failure,
)
from tlsmgr.wire.attributes import ANNOUNCEMENT, RequestReader, Wakeup, encode_reply

NEXT = attributes(b"request", b"seed", b"size", b"7")
NEXT_REQUEST = SeedRequest(size=7)

vectors = pytest.mark.parametrize("vector", ATTRIBUTE_VECTORS, ids=lambda vector: vector.name)

# Streams that mean something: pieces of lists, whole ones, and noise.
_pieces = st.one_of(
    st.sampled_from([vector.data for vector in ATTRIBUTE_VECTORS if len(vector.data) < 200]),
    st.sampled_from([b"\0", b"\0\0", b"W\0", b"W", b"request\0", b"lookup\0", b"cache_type\0", b"x" * 70]),
    st.binary(max_size=8),
)
streams = st.lists(_pieces, max_size=12).map(b"".join)


def read(chunks: list[bytes], limit: int = LIMIT) -> list[Request | Wakeup]:
    """Return what a new reader makes of these chunks."""
    reader = RequestReader(limit)
    return read_all(reader, reader.next_request, chunks)


@vectors
def test_a_vector_is_read_whole(vector: AttributeVector) -> None:
    """A message in one chunk gives what the table says, and nothing is left over."""
    reader = RequestReader(LIMIT)
    assert read_all(reader, reader.next_request, [vector.data]) == [vector.expected]
    assert not reader.pending
    assert read_at_once(reader.take_whole, reader.next_request, [vector.data]) == [vector.expected]
    assert not reader.pending


@vectors
def test_a_vector_is_read_byte_by_byte(vector: AttributeVector) -> None:
    """The slow path gives the very same answer as the fast one."""
    assert read(single_bytes(vector.data)) == [vector.expected]


@vectors
def test_a_vector_is_read_in_random_chunks(vector: AttributeVector) -> None:
    """It does not matter where the bytes are cut."""
    source = random.Random(vector.name)  # noqa: S311 - reproducible, and no secret
    for _ in range(20):
        where = [source.randrange(len(vector.data) + 1) for _ in range(source.randrange(1, 6))]
        assert read(cut(vector.data, where)) == [vector.expected]


@vectors
def test_a_vector_leaves_the_reader_in_step(vector: AttributeVector) -> None:
    """The message behind it, in the same chunk or in the next, is read as ever."""
    expected = [vector.expected, NEXT_REQUEST]
    assert read([vector.data + NEXT]) == expected
    assert read([vector.data, NEXT]) == expected
    assert read(single_bytes(vector.data + NEXT)) == expected
    assert read([NEXT + vector.data + NEXT]) == [NEXT_REQUEST, *expected]


@given(streams, positions, st.integers(min_value=2, max_value=120))
def test_no_cut_changes_what_is_read(stream: bytes, where: list[int], limit: int) -> None:
    """Any bytes, in any chunks, under any limit, give the same and raise nothing."""
    whole = read([stream], limit)
    assert read(cut(stream, where), limit) == whole
    assert read(single_bytes(stream), limit) == whole


@given(streams, positions, st.integers(min_value=2, max_value=120))
def test_the_short_way_gives_what_the_long_one_gives(stream: bytes, where: list[int], limit: int) -> None:
    """Whether a chunk is one whole request or not."""
    for chunks in ([stream], cut(stream, where)):
        reader = RequestReader(limit)
        assert read_at_once(reader.take_whole, reader.next_request, chunks) == read(chunks, limit)


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=40))
def test_noise_gives_no_request_but_malformed_ones(noise: bytes, limit: int) -> None:
    """Bytes that nobody meant never raise, whatever they are."""
    assert all(isinstance(request, MalformedRequest | Wakeup) for request in read([noise], limit))


@given(streams)
def test_a_reason_is_short_printable_text(stream: bytes) -> None:
    """A log line that quotes a reason cannot be broken or flooded by a client."""
    for request in read([stream]):
        if isinstance(request, MalformedRequest):
            assert request.reason.isascii()
            assert request.reason.isprintable()
            assert len(request.reason) < 100


@given(st.sampled_from(ATTRIBUTE_VECTORS), st.integers(min_value=0))
def test_pending_says_that_a_part_is_held(vector: AttributeVector, where: int) -> None:
    """A reader is pending exactly between the first and the last byte of a message."""
    reader = RequestReader(LIMIT)
    size = where % len(vector.data)
    read_all(reader, reader.next_request, [vector.data[:size]])
    assert reader.pending == (size > 0)
    read_all(reader, reader.next_request, [vector.data[size:]])
    assert not reader.pending


def test_an_endless_request_is_refused_once_and_not_kept() -> None:
    """One byte over the limit is enough to answer; what follows costs no memory."""
    reader = RequestReader(100)
    begin = b"request\0lookup\0cache_type\0"
    assert read_all(reader, reader.next_request, [begin.ljust(100, b"x")]) == []
    expected = MalformedRequest(verb=Verb.LOOKUP, reason="longer than the limit of 100 bytes")
    assert read_all(reader, reader.next_request, [b"x"]) == [expected]
    for _ in range(1000):
        assert read_all(reader, reader.next_request, [b"y" * 1000]) == []
    assert held(reader) <= 1
    assert reader.pending
    assert read_all(reader, reader.next_request, [b"\0\0" + NEXT]) == [NEXT_REQUEST]


@given(streams, positions, st.integers(min_value=2, max_value=120))
def test_no_more_than_the_limit_is_held(stream: bytes, where: list[int], limit: int) -> None:
    """Between two chunks a reader holds no more bytes than one request may have."""
    reader = RequestReader(limit)
    for chunk in cut(stream, where):
        read_all(reader, reader.next_request, [chunk])
        assert held(reader) <= limit


def held(reader: RequestReader) -> int:
    """Return how many bytes ``reader`` keeps."""
    return len(reader._chunk) + len(reader._lists._held)  # noqa: SLF001 - the claim is about what is inside


def test_chunks_may_be_fed_before_requests_are_taken() -> None:
    """A caller that feeds twice loses nothing."""
    reader = RequestReader(LIMIT)
    reader.feed(NEXT)
    reader.feed(NEXT[:9])
    reader.feed(NEXT[9:])
    assert [reader.next_request() for _ in range(3)] == [NEXT_REQUEST, NEXT_REQUEST, None]


def test_an_attribute_too_many_is_worth_a_warning() -> None:
    """The request is served, the reader says what it skipped, and forgets it with the next one."""
    reader = RequestReader(LIMIT)
    extra = attributes(b"request", b"policy", b"cache_type", b"smtp", b"more", b"secret")
    reader.feed(extra + NEXT)
    reader.next_request()
    assert reader.warning == "policy: skipped what follows the last attribute: 'more'"
    reader.next_request()
    assert reader.warning is None


def test_a_wakeup_is_told_by_its_first_two_bytes() -> None:
    """What comes behind them does not turn it into a list, and a longer word is no wakeup."""
    assert read([b"W\0v\0\0"])[0] == Wakeup()
    assert read([b"Wake\0v\0\0"]) != [Wakeup()]


def test_a_skipped_list_cannot_end_in_a_wakeup() -> None:
    """The end of an oversized list is never taken for the beginning of a message."""
    limit = 64
    reader = RequestReader(limit)
    chunks = [b"n" * limit + b"\0value", b"W", b"\0", b"\0"]
    assert len(read_all(reader, reader.next_request, chunks)) == 1
    assert not reader.pending


def test_the_announcement_is_postfixs() -> None:
    """Postfix 3.6 and later wait for these bytes."""
    assert ANNOUNCEMENT == b"protocol\0tlsmgr_protocol\0\0"


_FAILED = b"4294967294"
_REPLIES: list[tuple[Reply, bytes]] = [
    (SeedReply(status=Status.OK, seed=b"\xff\0"), attributes(b"status", b"0", b"seed", b"/wA=")),
    (
        PolicyReply(status=Status.OK, cachable=True, timeout=3600),
        attributes(b"status", b"0", b"cachable", b"1", b"timeout", b"3600"),
    ),
    (LookupReply(status=Status.OK, session=b""), attributes(b"status", b"0", b"session", b"")),
    (LookupReply(status=Status.NOT_DONE), attributes(b"status", b"4294967295", b"session", b"")),
    (StatusReply(status=Status.OK), attributes(b"status", b"0")),
    (StatusReply(status=Status.NOT_DONE), attributes(b"status", b"4294967295")),
    (TicketKeyReply(status=Status.OK, key_buffer=b"abc"), attributes(b"status", b"0", b"keybuf", b"YWJj")),
    (failure(Verb.SEED), attributes(b"status", _FAILED, b"seed", b"")),
    (failure(Verb.POLICY), attributes(b"status", _FAILED, b"cachable", b"0", b"timeout", b"0")),
    (failure(Verb.LOOKUP), attributes(b"status", _FAILED, b"session", b"")),
    (failure(Verb.UPDATE), attributes(b"status", _FAILED)),
    (failure(Verb.TICKET_KEY), attributes(b"status", _FAILED, b"keybuf", b"")),
    (failure(None), attributes(b"status", _FAILED)),
]


@pytest.mark.parametrize(("reply", "data"), _REPLIES)
def test_a_reply_has_postfixs_bytes(reply: Reply, data: bytes) -> None:
    """Names, order, unsigned numbers and base64 are what Postfix's client reads."""
    assert encode_reply(reply) == data


@pytest.mark.parametrize("status", [Status.NOT_DONE, Status.FAILED])
def test_a_failed_reply_carries_no_secret(status: Status) -> None:
    """A payload beside a status other than OK stays here."""
    assert b"c2VjcmV0" not in encode_reply(LookupReply(status=status, session=b"secret"))
    assert b"c2VjcmV0" not in encode_reply(SeedReply(status=status, seed=b"secret"))
    assert b"c2VjcmV0" not in encode_reply(TicketKeyReply(status=status, key_buffer=b"secret"))
