"""Where a session leads to is told from Postfix's cache ids, and from nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.destinations import Destination, destination_of, leading_to

_ID = b"smtp&[Relay.Example.net]:587&mx1.example.com&192.0.2.1&&0123ABCD&l=805306608"


def test_the_fields_of_postfixs_ids() -> None:
    """Service, next hop, host and address; names in lower case."""
    found = destination_of(_ID)

    assert found == Destination(
        service="smtp", next_hop="[relay.example.net]:587", host="mx1.example.com", address="192.0.2.1"
    )
    assert str(found) == "[relay.example.net]:587 via mx1.example.com[192.0.2.1]"
    assert str(destination_of(b"lmtp&h&h&&&AA&l=1")) == "h"


@pytest.mark.parametrize(
    "wanted",
    ["[relay.example.net]:587", "relay.example.net", "RELAY.example.NET", "mx1.example.com", "192.0.2.1"],
)
def test_a_destination_has_many_names(wanted: str) -> None:
    """With and without brackets and port, by host and by address."""
    assert leading_to(wanted)(_ID)


@pytest.mark.parametrize("wanted", ["example.net", "192.0.2", "smtp", "587", "0123ABCD", "", "example.com"])
def test_part_of_a_name_is_no_name(wanted: str) -> None:
    """Nor is the service, the digest or anything else in the id."""
    assert not leading_to(wanted)(_ID)


@pytest.mark.parametrize(
    "cache_id",
    [b"", b"&&&&&", b"0123ABCD&s=smtp&l=805306608", b"mx.example.com", b"a&b&c", b"smtp&h\0&h&1&&&"],
)
def test_other_ids_lead_nowhere(cache_id: bytes) -> None:
    """Those of smtpd, and of other programs."""
    assert destination_of(cache_id) is None


def test_an_id_of_another_program_is_one_name() -> None:
    """As the client in README.md has it."""
    assert leading_to("MX.example.com")(b"mx.example.com")
    assert not leading_to("example.com")(b"mx.example.com")


def test_a_field_with_an_ampersand_is_in_base64() -> None:
    """And only such a field: a name that looks like base64 by chance is a name."""
    odd = base64.b64encode(b"a&b")
    assert leading_to("a&b")(b"smtp&" + odd + b"&aGVsbG8=&192.0.2.1&&AA&l=1")
    assert leading_to("aGVsbG8=")(b"smtp&" + odd + b"&aGVsbG8=&192.0.2.1&&AA&l=1")


@given(st.binary(), st.text())
def test_any_bytes_are_an_id(cache_id: bytes, wanted: str) -> None:
    """None is refused."""
    destination_of(cache_id)
    leading_to(wanted)(cache_id)


def test_a_name_that_is_by_chance_the_base64_of_one_with_an_ampersand_is_found() -> None:
    """Nobody can tell the two apart, so either finds the session."""
    assert b"&" in base64.b64decode("aicm")
    assert leading_to("aicm")(b"smtp&aicm&mx.example.com&192.0.2.1&&AA&l=1")
    assert not leading_to("smtp")(b"smtp&aicm&mx.example.com&192.0.2.1&&AA&l=1")


_NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)


@given(_NAMES, _NAMES, _NAMES)
def test_every_name_in_an_id_is_found(next_hop: str, host: str, address: str) -> None:
    """Whatever the three are."""
    cache_id = f"smtp&{next_hop}&{host}&{address}&&AA&l=1".encode()
    assert all(leading_to(name)(cache_id) for name in (next_hop, host, address))
