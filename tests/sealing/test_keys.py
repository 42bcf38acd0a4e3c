import copy
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.errors import ProtocolError
from tlsmgr.sealing.keys import KEYS_MAX, REVOKED_MAX, SealingKey, SealingKeys

SECRETS = st.binary(min_size=32, max_size=32)
KEYS = st.builds(SealingKey, SECRETS)
KEY_SETS = st.builds(
    SealingKeys,
    keys=st.lists(KEYS, max_size=KEYS_MAX, unique=True).map(tuple),
    revoked=st.lists(st.binary(min_size=8, max_size=8), max_size=4, unique=True).map(tuple),
)


def key(number: int) -> SealingKey:
    """Return a key that is told from others by a number."""
    return SealingKey(bytes([number]) * 32)


@given(SECRETS)
def test_no_way_of_showing_a_key_shows_its_secret(secret: bytes) -> None:
    """Not repr, str, format or a container's repr, neither raw nor in hex nor as a literal."""
    shown = SealingKey(secret)
    keys = SealingKeys(keys=(shown,))
    logged = logging.LogRecord("name", logging.INFO, "path", 1, "%s %r", (shown, keys), None).getMessage()
    texts = [repr(shown), str(shown), f"{shown}", repr(keys), repr([shown]), logged]
    for text in texts:
        for size in (8, 32):
            assert secret[:size].hex() not in text
            assert repr(secret[:size])[2:-1] not in text


@given(st.binary(max_size=80).filter(lambda secret: len(secret) not in (0, 32)))
def test_an_error_about_a_key_does_not_quote_it(secret: bytes) -> None:
    """The message says how long it was, and the traceback no more."""
    with pytest.raises(ValueError, match="32 bytes, not") as raised:
        SealingKey(secret)
    assert str(raised.value) == f"a sealing key has 32 bytes, not {len(secret)}"
    assert secret.hex() not in "".join(traceback.format_exception(raised.value)) or len(secret) == 1


def test_a_key_cannot_leave_the_process_by_mistake() -> None:
    """Neither pickle nor copy, by which it would reach a file or another process, takes it."""
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            leave(key(1))


def test_a_key_cannot_be_changed() -> None:
    """It is a value."""
    with pytest.raises(AttributeError):
        key(1).secret = b""  # type: ignore[misc]  # the very thing that must fail


def test_keys_are_equal_when_their_secrets_are() -> None:
    """And other values are not keys."""
    assert key(1) == key(1)
    assert len({key(1), key(1), key(2)}) == 2
    assert key(1) != key(1).secret


def test_a_key_is_made_of_32_bytes_of_the_generator_that_is_given() -> None:
    """Asked once; a short read makes no weak key."""
    assert SealingKey.make(lambda size: b"r" * size).secret == b"r" * 32
    with pytest.raises(ValueError, match="not 16"):
        SealingKey.make(lambda _: bytes(16))


@given(KEY_SETS, KEY_SETS)
def test_merging_keeps_our_order_and_forgets_what_was_revoked(ours: SealingKeys, theirs: SealingKeys) -> None:
    """Our keys stay first, none comes twice, and a second merge changes nothing."""
    merged = ours.merged(theirs)
    assert len(set(merged.keys)) == len(merged.keys) <= KEYS_MAX
    assert not {each.id for each in merged.keys} & set(merged.revoked)
    kept = [each for each in ours.keys if each.id not in merged.revoked]
    assert list(merged.keys[: len(kept)]) == kept
    assert merged.merged(theirs) == merged


def test_a_renewed_key_is_alone_and_the_former_ones_do_not_come_back() -> None:
    """Not from a worker that has not heard of it either, whichever comes first."""
    former = SealingKeys(keys=(key(1), key(2)))
    renewed = former.renewed(key(3))
    assert renewed.keys == (key(3),)
    assert renewed.merged(former).keys == former.merged(renewed).keys == (key(3),)


def test_the_list_of_revoked_keys_does_not_grow_without_end() -> None:
    """The latest are remembered."""
    keys = SealingKeys(keys=(key(0),))
    for number in range(1, 100):
        keys = keys.renewed(key(number))
    assert len(keys.revoked) == REVOKED_MAX
    assert keys.revoked[0] == key(98).id


@given(KEY_SETS)
def test_keys_reach_the_other_worker_as_they_are(keys: SealingKeys) -> None:
    """from_wire undoes to_wire."""
    assert SealingKeys.from_wire(*keys.to_wire()) == keys


@pytest.mark.parametrize("wrong", [None, "x" * 32, 5, [b"x" * 32], b"x" * 33, b"x" * 7, bytes(1024)])
def test_anything_else_from_the_other_worker_is_an_error_that_quotes_nothing(wrong: object) -> None:
    """The peer's fault, told in the same words for all."""
    with pytest.raises(ProtocolError) as raised:
        SealingKeys.from_wire(wrong, b"")
    assert str(raised.value) == "sealing keys were sent in a form that is not theirs"
    with pytest.raises(ProtocolError):
        SealingKeys.from_wire(b"", wrong)
