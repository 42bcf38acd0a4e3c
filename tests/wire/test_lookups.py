"""The short ways to a lookup: whatever they find and answer, the long ways find and answer too."""

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tlsmgr.errors import Status
from tlsmgr.messages import CacheType, LookupReply, LookupRequest
from tlsmgr.wire import attributes, rpc
from tlsmgr.wire.attribute_client import encode_request
from tlsmgr.wire.rpc_lookups import lookup_in

LIMIT = 4096
IDS = st.one_of(
    st.integers(0, 2**32 - 1), st.sampled_from([0, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32 - 1])
)
CACHE_IDS = st.binary(max_size=300)
#: What a lookup is made of, with what is nearly so: the wrong kinds, forms, lengths and names.
PIECES = st.sampled_from(
    [
        *(b"\x94\x00", b"\x93\x00", b"\x94\x01", b"\x94\xc2", b"\xdc\x00\x04\x00"),
        *(
            b"\x00",
            b"\x7f",
            b"\x80",
            b"\xcc\x80",
            b"\xcc\x05",
            b"\xcd\x01\x00",
            b"\xce\x00\x01\x00\x00",
            b"\xff",
        ),
        *(b"\xcf\x00\x00\x00\x00\x00\x00\x00\x01", b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00", b"\xc4"),
        *(
            b"\xa6lookup",
            b"\xa6delete",
            b"\xc4\x06lookup",
            b"\x92",
            b"\x91",
            b"\x93",
            b"\xa5smtpd",
            b"\xa4smtp",
        ),
        *(b"\xa4lmtp", b"\xa5other", b"\xc4\x02ab", b"\xc4\x00", b"\xc5\x00\x02ab", b"\xa2ab", b"\xc4\x03ab"),
    ]
)


def _long_way(data: bytes) -> rpc.WholeRequest | None:
    return rpc.CallReader(LIMIT).take_request(data)


@given(IDS, st.sampled_from(CacheType), CACHE_IDS)
def test_a_lookup_as_clients_send_it_is_found_in_its_bytes(
    message_id: int, cache_type: CacheType, cache_id: bytes
) -> None:
    """Up to 255 bytes of id; it is the one that the unpacker would give."""
    data = rpc.encode_call(message_id, "lookup", (cache_type.value, cache_id))
    found = lookup_in(data)
    assert (found is not None) == (len(cache_id) < 256)
    if found is not None:
        assert (msgpack.unpackb(found[0]), *found[1:]) == (message_id, cache_type, cache_id)
        assert _long_way(data) == (
            message_id,
            "lookup",
            LookupRequest(cache_type=cache_type, cache_id=cache_id),
        )


@given(st.lists(PIECES, min_size=4, max_size=8).map(b"".join), st.binary(max_size=2))
@example(b"\x94\x00\xcd\x00\x05\xa6lookup\x92\xa5smtpd\xc4\x02ab", b"")
@example(b"\x94\x00\x05\xa6lookup\x92\xa5smtpd\xc4\x02ab", b"\x94")
@example(b"\x94\x00\x05\xa6lookup\x92\xa5smtpd", b"\xc4")
def test_whatever_is_found_in_bytes_is_what_the_unpacker_finds(pieces: bytes, rest: bytes) -> None:
    """Nothing else is taken for a lookup, however near it comes."""
    found = lookup_in(pieces + rest)
    if found is not None:
        message_id, cache_type, cache_id = found
        request = LookupRequest(cache_type=cache_type, cache_id=cache_id)
        assert _long_way(pieces + rest) == (msgpack.unpackb(message_id), "lookup", request)


@given(IDS, st.one_of(st.binary(max_size=300), st.sampled_from([bytes(n) for n in (255, 256, 65535, 65536)])))
def test_what_was_found_is_answered_in_the_same_bytes(message_id: int, session: bytes) -> None:
    """The ready head of a response is what the packer makes, for each length of a session."""
    reply = LookupReply(status=Status.OK, session=session)
    assert rpc.encode_found(msgpack.packb(message_id), session) == rpc.encode_reply(message_id, reply)


@pytest.mark.parametrize("before", [b"\x94\x00", b"\x94\x00\x01\xa4ping\x90"])
def test_a_lookup_is_found_only_where_a_message_begins(before: bytes) -> None:
    """Behind half a message, or behind one that nobody took yet, its bytes are for the long way."""
    data = rpc.encode_call(1, "lookup", ("smtpd", b"id"))
    reader = rpc.CallReader(LIMIT)
    assert reader.find_lookup(data) == (b"\x01", CacheType.SMTPD, b"id")
    reader.feed(before)
    assert reader.find_lookup(data) is None
    assert rpc.CallReader(len(data) - 1).find_lookup(data) is None


def test_a_lookup_of_the_attribute_protocol_is_found_only_where_a_request_begins() -> None:
    """Nor is one longer than the limit."""
    data = encode_request(LookupRequest(cache_type=CacheType.SMTP, cache_id=b"id"))
    reader = attributes.RequestReader(LIMIT)
    assert reader.find_lookup(data) == (CacheType.SMTP, b"id")
    reader.feed(b"request\0")
    assert reader.find_lookup(data) is None
    assert attributes.RequestReader(len(data) - 1).find_lookup(data) is None
