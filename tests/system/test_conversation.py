"""Answers of the attribute protocol are taken apart in one way only."""

from hypothesis import given
from hypothesis import strategies as st

from tests.system.attribute_vectors import attributes
from tests.system.conversation import Answer, AttributeList, Conversation, parsed
from tests.system.transcript import masked

_text = st.text(st.characters(min_codepoint=1, max_codepoint=255))
_name = st.text(st.characters(min_codepoint=1, max_codepoint=127), min_size=1)
_lists = st.lists(st.lists(st.tuples(_name, _text)).map(tuple))


@given(lists=_lists, half=st.sampled_from([b"", b"name", b"name\0", b"name\0value", b"name\0value\0"]))
def test_lists_and_the_rest_are_told_apart(lists: list[AttributeList], half: bytes) -> None:
    """Every whole list is found, empty values and empty lists too, and the rest is kept."""
    sent = b"".join(
        attributes(*((name, value.encode("latin-1")) for name, value in pairs)) for pairs in lists
    )
    assert parsed(sent + half) == Answer(lists=tuple(lists), rest=half)


def test_random_and_left_over_bytes_are_masked() -> None:
    """Good random bytes and bytes of a failed request are told apart, and empty ones stay empty."""
    answers = (
        ((("status", "0"), ("seed", "QUJD")),),
        ((("status", "4294967294"), ("session", "QUI=")),),
        ((("status", "0"), ("session", "QUI=")),),
        ((("status", "4294967295"), ("keybuf", "")),),
    )
    conversation = Conversation(
        greeting=Answer(lists=()), answers=tuple(Answer(lists=lists) for lists in answers)
    )
    assert masked(conversation) == (
        ((("status", "0"), ("seed", "<3 random bytes>")),),
        ((("status", "4294967294"), ("session", "<2 left-over bytes>")),),
        *answers[2:],
    )
