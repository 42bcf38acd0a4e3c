import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tlsmgr.wire.attribute_lists import (
    decode_base64,
    decode_integer,
    encode_base64,
    encode_integer,
    encode_list,
)

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_base64_like = st.lists(st.sampled_from([*b"AQz9+/", *b"===", *b"-\n "]), max_size=16).map(bytes)


def decode_as_postfix_documents(text: bytes) -> bytes | None:
    """Decode base64 group by group, slowly, by the rules that Postfix's decoder follows."""
    if len(text) % 4:
        return None
    decoded = bytearray()
    for at in range(0, len(text), 4):
        group = text[at : at + 4]
        paddings = (at for at in (2, 3) if group[at : at + 1] == b"=")
        length = next(paddings, 4)
        if any(character not in _ALPHABET for character in group[:length]):
            return None
        bits = sum(_ALPHABET.index(character) << (18 - 6 * at) for at, character in enumerate(group[:length]))
        decoded += bits.to_bytes(3, "big")[: length - 1]
        if length < 4:
            break
    return bytes(decoded)


@given(st.one_of(_base64_like, st.binary(max_size=12)))
@example(b"AAAA=")
@example(b"AAAA====")
def test_base64_is_as_strict_as_postfix(text: bytes) -> None:
    """What one decoder takes the other takes, with the same bytes."""
    assert decode_base64(text) == decode_as_postfix_documents(text)


@given(st.binary(max_size=100))
def test_base64_comes_back(data: bytes) -> None:
    """What is encoded has no white space, and decodes to itself."""
    text = encode_base64(data)
    assert text.translate(None, _ALPHABET + b"=") == b""
    assert decode_base64(text) == data


@given(st.integers(min_value=-(1 << 31), max_value=(1 << 31) - 1))
def test_an_integer_comes_back(number: int) -> None:
    """Any C int survives the unsigned form that it travels in."""
    assert encode_integer(number).isdigit()
    assert decode_integer(encode_integer(number)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"007", 7),
        (b"-0", 0),
        (b"\t 7", 7),
        (b"+7", 7),
        (b"-7", -7),
        (b"2147483647", 2147483647),
        (b"2147483648", -2147483648),
        (b"4294967296", 0),
        (b"18446744073709551615", -1),
        (b"18446744073709551616", -1),
        (b"-18446744073709551615", 1),
        (b"-18446744073709551616", -1),
        (b"9" * 5000, -1),
        (b"0" * 5000 + b"5", 5),
        (b"", None),
        (b"-", None),
        (b"+-7", None),
        (b"- 7", None),
        (b"7 ", None),
        (b"7x", None),
        (b"0x7", None),
        (b"\xd9\xa7", None),
    ],
)
def test_an_integer_is_read_as_scanf_reads_it(text: bytes, number: int | None) -> None:
    """White space and signs before, nothing behind, and cut to 32 bits, as %u on 64 bits does."""
    assert decode_integer(text) == number


@pytest.mark.parametrize("pair", [(b"", b"x"), (b"a\0b", b"x"), (b"name", b"x\0y")])
def test_what_would_break_the_list_is_refused(pair: tuple[bytes, bytes]) -> None:
    """An empty name or a null byte would end a list or a field too early."""
    with pytest.raises(ValueError, match="null byte"):
        encode_list([pair])
