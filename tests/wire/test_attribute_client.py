import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.chunks import cut, positions, read_all
from tests.wire.messages import replies, requests
from tests.wire.vectors import LIMIT, attributes
from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupReply,
    MalformedRequest,
    Reply,
    Request,
    StatusReply,
    Verb,
    failure,
)
from tlsmgr.wire.attribute_client import ReplyReader, decode_reply, encode_request
from tlsmgr.wire.attributes import ANNOUNCEMENT, RequestReader, encode_reply

_ids = st.binary(max_size=60).map(lambda data: data.replace(b"\0", b""))


@given(st.lists(requests(_ids), max_size=5), positions)
def test_requests_come_back(asked: list[tuple[Verb, Request]], where: list[int]) -> None:
    """What a client sends is what the server reads, pipelined and cut anywhere."""
    reader = RequestReader(LIMIT)
    stream = b"".join(encode_request(request) for _, request in asked)
    read = read_all(reader, reader.next_request, cut(stream, where))
    assert read == [request for _, request in asked]


@given(st.lists(replies, max_size=5), positions)
def test_replies_come_back(answered: list[tuple[Verb, Reply]], where: list[int]) -> None:
    """What the server answers is what the client reads, behind the announcement."""
    reader = ReplyReader(LIMIT)
    stream = ANNOUNCEMENT + b"".join(encode_reply(reply) for _, reply in answered)
    verbs = iter([verb for verb, _ in answered])
    verb: Verb | None = next(verbs, None)
    announced, read = False, []
    for chunk in cut(stream, where):
        reader.feed(chunk)
        announced = announced or reader.read_announcement()
        while announced and verb and (reply := reader.next_reply(verb)) is not None:
            read.append(reply)
            verb = next(verbs, None)
    assert announced
    assert read == [reply for _, reply in answered]
    assert not reader.pending


@pytest.mark.parametrize("verb", [*Verb, None])
def test_a_failure_is_read_as_one(verb: Verb | None) -> None:
    """Each verb's failure, and the answer to an unknown request, come back as they were."""
    assert decode_reply(verb, encode_reply(failure(verb))) == failure(verb)


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        (Verb.LOOKUP, b""),
        (Verb.LOOKUP, b"status\0"),
        (Verb.LOOKUP, b"\0"),
        (Verb.LOOKUP, attributes(b"status", b"0")),
        (Verb.LOOKUP, attributes(b"session", b"", b"status", b"0")),
        (Verb.LOOKUP, attributes(b"status", b"0", b"session", b"", b"more", b"")),
        (Verb.LOOKUP, attributes(b"status", b"0", b"session", b"no base64")),
        (Verb.LOOKUP, attributes(b"status", b"", b"session", b"")),
        (Verb.LOOKUP, attributes(b"status", b"1", b"session", b"")),
        (Verb.POLICY, attributes(b"status", b"0", b"cachable", b"2", b"timeout", b"1")),
        (Verb.POLICY, attributes(b"status", b"0", b"cachable", b"1", b"timeout", b"x")),
        (Verb.UPDATE, attributes(b"status", b"0") + b"\0"),
        (Verb.UPDATE, ANNOUNCEMENT),
        (Verb.UPDATE, attributes(b"status", b"0") * 2),
    ],
)
def test_a_reply_that_tlsmgr_would_not_send_is_refused(verb: Verb, data: bytes) -> None:
    """Missing, misplaced, malformed and surplus attributes, halves and doubles are errors."""
    with pytest.raises(ProtocolError):
        decode_reply(verb, data)


@given(st.sampled_from([*Verb, None]), st.binary(max_size=80))
def test_any_bytes_give_a_reply_or_a_protocol_error(verb: Verb | None, data: bytes) -> None:
    """A broken server cannot make a client fail in another way."""
    try:
        decode_reply(verb, data)
    except ProtocolError as error:
        assert str(error).isprintable()  # noqa: PT017 - not raising is as good


def test_what_comes_with_a_failure_is_dropped() -> None:
    """Postfix up to 3.11 sends another request's leftovers beside a failure."""
    data = attributes(b"status", b"4294967294", b"session", b"c2VjcmV0")
    assert decode_reply(Verb.LOOKUP, data) == LookupReply(status=Status.FAILED)


def test_an_endless_reply_is_refused() -> None:
    """The reader holds no more than its limit."""
    reader = ReplyReader(50)
    reader.feed(b"status\0" + b"0" * 50)
    with pytest.raises(ProtocolError, match="longer than the limit"):
        reader.next_reply(Verb.UPDATE)


def test_a_server_that_does_not_announce_itself_is_told() -> None:
    """Something else first means another service, or a Postfix before 3.6."""
    reader = ReplyReader(LIMIT)
    reader.feed(attributes(b"status", b"0"))
    with pytest.raises(ProtocolError, match="announce"):
        reader.read_announcement()


def test_a_status_alone_is_read() -> None:
    """Update and delete have nothing else to say."""
    assert decode_reply(Verb.DELETE, attributes(b"status", b"4294967295")) == StatusReply(
        status=Status.NOT_DONE
    )


def test_what_cannot_be_sent_is_refused() -> None:
    """A cache id with a null byte, and a malformed request, have no form in this protocol."""
    with pytest.raises(ValueError, match="null byte"):
        encode_request(DeleteRequest(cache_type=CacheType.SMTP, cache_id=b"\0"))
    with pytest.raises(TypeError):
        encode_request(MalformedRequest(verb=None, reason=""))
