import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.messages import replies, requests
from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import (
    CacheType,
    LookupReply,
    LookupRequest,
    MalformedRequest,
    PolicyReply,
    Reply,
    Request,
    SeedReply,
    StatusReply,
    TicketKeyReply,
    Verb,
    failure,
)
from tlsmgr.wire import rpc

_CACHE = "cache_type: expected smtpd or smtp or lmtp, got "


def call_as_sent(method: str, *params: object) -> rpc.Call:
    """Return the call as the server reads it."""
    reader = rpc.CallReader(4096)
    reader.feed(rpc.encode_call(1, method, params))
    call = reader.next_call()
    assert call is not None
    return call


def response_of(data: bytes) -> rpc.Response:
    """Return the one response that ``data`` is."""
    reader = rpc.ResponseReader(4096)
    reader.feed(data)
    response = reader.next_response()
    assert response is not None
    assert not reader.pending
    return response


def response_with(result: object) -> rpc.Response:
    """Return a response without error."""
    return rpc.Response(message_id=1, error=None, result=result)


@given(requests(st.binary(max_size=60)))
def test_requests_come_back(asked: tuple[Verb, Request]) -> None:
    """What a client asks is what the server understands, null bytes in a cache id included."""
    _, request = asked
    method, params = rpc.call_of(request)
    assert rpc.decode_request(call_as_sent(method, *params)) == request


@given(replies)
def test_replies_come_back(answered: tuple[Verb, Reply]) -> None:
    """What the server answers is what the client understands."""
    verb, reply = answered
    assert rpc.decode_reply(verb, response_of(rpc.encode_reply(1, reply))) == reply


@pytest.mark.parametrize(
    ("method", "params", "verb", "reason"),
    [
        ("flush", (), None, "method: unknown, 'flush'"),
        ("", (), None, "method: unknown, ''"),
        ("Geheim-" * 9, (), None, "method: unknown, 63 bytes"),
        ("seed", (), Verb.SEED, "params: expected size, got 0 params"),
        ("seed", (1, 2), Verb.SEED, "params: expected size, got 2 params"),
        ("seed", (True,), Verb.SEED, "size: expected an integer, got a boolean"),
        ("seed", ("32",), Verb.SEED, "size: expected an integer, got bytes"),
        ("seed", (32.0,), Verb.SEED, "size: expected an integer, got a float"),
        ("seed", (0,), Verb.SEED, "size: expected 1 to 255, got 0"),
        ("seed", (256,), Verb.SEED, "size: expected 1 to 255, got 256"),
        ("seed", (-1,), Verb.SEED, "size: expected 1 to 255, got -1"),
        ("policy", ("tlsproxy",), Verb.POLICY, _CACHE + "'tlsproxy'"),
        ("policy", (None,), Verb.POLICY, "cache_type: expected bytes, got nil"),
        ("lookup", ("smtpd",), Verb.LOOKUP, "params: expected cache_type, cache_id, got 1 params"),
        ("lookup", ("smtpd", ["x"]), Verb.LOOKUP, "cache_id: expected bytes, got an array"),
        ("lookup", ("0123ABCDEF&s=smtp", "smtpd"), Verb.LOOKUP, _CACHE + "17 bytes"),
        ("update", ("smtp", "x", {"a": 1}), Verb.UPDATE, "session: expected bytes, got a map"),
        ("delete", ("\udcff", "x"), Verb.DELETE, _CACHE + "6 bytes"),
        ("tktkey", ("x",), Verb.TICKET_KEY, "keyname: expected 0 or 16 bytes, got 1"),
    ],
)
def test_a_bad_call_is_told_why(
    method: str, params: tuple[object, ...], verb: Verb | None, reason: str
) -> None:
    """An unknown method, another number, type or range of params is a MalformedRequest."""
    request = rpc.decode_request(call_as_sent(method, *params))
    assert request == MalformedRequest(verb=verb, reason=reason)


def test_text_is_taken_as_its_bytes() -> None:
    """A client that knows text only can use any cache id, valid UTF-8 or not."""
    expected = LookupRequest(cache_type=CacheType.SMTP, cache_id="é".encode())
    assert rpc.decode_request(call_as_sent(b"lookup".decode(), b"smtp", "é")) == expected
    packed = b"\x94\x00\x01\xa6lookup\x92\xa4smtp\xa2\xff\xfe"
    reader = rpc.CallReader(100)
    reader.feed(packed)
    call = reader.next_call()
    assert call is not None
    assert rpc.decode_request(call) == LookupRequest(cache_type=CacheType.SMTP, cache_id=b"\xff\xfe")


def test_a_defect_is_the_reason() -> None:
    """A message in a wrong form is answered with what is wrong with its form."""
    call = rpc.Call(message_id=1, method="", params=(), defect="params: expected an array")
    assert rpc.decode_request(call) == MalformedRequest(verb=None, reason="params: expected an array")


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (SeedReply(status=Status.OK, seed=b"s"), {"status": 0, "seed": b"s"}),
        (
            PolicyReply(status=Status.OK, cachable=True, timeout=9),
            {"status": 0, "cachable": True, "timeout": 9},
        ),
        (LookupReply(status=Status.NOT_DONE), {"status": -1, "session": b""}),
        (StatusReply(status=Status.FAILED), {"status": -2}),
        (TicketKeyReply(status=Status.OK, key_buffer=b"k"), {"status": 0, "keybuf": b"k"}),
        (LookupReply(status=Status.FAILED, session=b"secret"), {"status": -2, "session": b""}),
    ],
)
def test_a_result_has_the_fields_of_the_contract(reply: Reply, result: dict[str, object]) -> None:
    """Names, types and signs are what any client finds in the protocol table; no secret beside a failure."""
    assert msgpack.unpackb(rpc.encode_reply(3, reply)) == [1, 3, None, result]


def test_a_malformed_request_is_answered_with_an_error() -> None:
    """The error map has the status and the reason, and the client gets both."""
    data = rpc.encode_reply(3, MalformedRequest(verb=Verb.SEED, reason="why"))
    assert msgpack.unpackb(data) == [1, 3, {"status": -2, "message": "why"}, None]
    with pytest.raises(rpc.RemoteError, match=r"^why$") as caught:
        rpc.decode_reply(Verb.SEED, response_of(data))
    assert caught.value.status is Status.FAILED


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        ({"status": -1, "message": "no"}, "no", Status.NOT_DONE),
        ({"status": 7, "message": "no"}, "no", Status.FAILED),
        ({"status": [], "message": "no"}, "no", Status.FAILED),
        ("text", "text", Status.FAILED),
        ({}, "{}", Status.FAILED),
        ("bell\a\n\udcff", "bell\\x07\\n\\udcff", Status.FAILED),
        (5, "5", Status.FAILED),
    ],
)
def test_any_error_is_shown_in_printable_text(error: object, message: str, status: Status) -> None:
    """Servers that others wrote have other errors; none of them gets a terminal to act."""
    with pytest.raises(rpc.RemoteError) as caught:
        rpc.result_of(rpc.Response(message_id=1, error=error, result=None))
    assert (str(caught.value), caught.value.status) == (message, status)


@pytest.mark.parametrize(
    ("verb", "result"),
    [
        (Verb.SEED, None),
        (Verb.SEED, ("status", 0)),
        (Verb.SEED, {b"status": 0, b"seed": b""}),
        (Verb.SEED, {}),
        (Verb.SEED, {"status": 0}),
        (Verb.SEED, {"status": False, "seed": b""}),
        (Verb.SEED, {"status": 3, "seed": b""}),
        (Verb.SEED, {"status": 0, "seed": 5}),
        (Verb.POLICY, {"status": 0, "cachable": 1, "timeout": 1}),
        (Verb.POLICY, {"status": 0, "cachable": True, "timeout": True}),
        (Verb.POLICY, {"status": 0, "cachable": True, "timeout": float("nan")}),
        (Verb.LOOKUP, {"status": 0, "session": None}),
        (Verb.TICKET_KEY, {"status": 0, "session": b""}),
        (Verb.UPDATE, {"state": 0}),
    ],
)
def test_a_result_without_its_fields_is_refused(verb: Verb, result: object) -> None:
    """A field that is missing or of another type is a ProtocolError."""
    with pytest.raises(ProtocolError):
        rpc.decode_reply(verb, response_with(result))


def test_a_result_may_have_more_fields_and_text_for_data() -> None:
    """A newer server may say more, and one in another language may know text only."""
    result = {"status": 0, "session": "é\udcff", "age": 5}
    expected = LookupReply(status=Status.OK, session="é".encode() + b"\xff")
    assert rpc.decode_reply(Verb.LOOKUP, response_with(result)) == expected


@pytest.mark.parametrize("verb", [*Verb, None])
def test_a_failure_is_read_as_one(verb: Verb | None) -> None:
    """Each verb's failure comes back as it was."""
    assert rpc.decode_reply(verb, response_of(rpc.encode_reply(1, failure(verb)))) == failure(verb)


def test_a_malformed_request_cannot_be_asked() -> None:
    """It says too little to be sent."""
    with pytest.raises(TypeError):
        rpc.call_of(MalformedRequest(verb=None, reason=""))
