import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.farm.ratchet import Ratchet
from tlsmgr.farm.secret import TEXT_SIZE_MAX, FarmSecret, NoFarmSecretError

_KEYS = st.binary(min_size=32, max_size=32)
SECRETS = st.builds(
    FarmSecret,
    store_secret=_KEYS,
    ratchet=st.builds(
        Ratchet,
        epoch_seconds=st.integers(1, 2**32 - 1),
        epoch=st.integers(0, 2**63 - 1),
        chain_key=_KEYS,
    ),
)


def secret(epoch: int = 1000, *, first: int = 0, epoch_seconds: int = 60) -> FarmSecret:
    """Return a secret; two with another ``first`` are of two farms."""
    ratchet = Ratchet(epoch_seconds=epoch_seconds, epoch=epoch, chain_key=bytes([first]) + bytes(range(31)))
    return FarmSecret(store_secret=bytes([first]) * 32, ratchet=ratchet)


@given(SECRETS)
def test_every_secret_goes_through_its_text(made: FarmSecret) -> None:
    """With white lines behind it, as some editors leave them, too."""
    text = made.to_text()
    assert FarmSecret.from_text(text) == made
    assert FarmSecret.from_text(text + "\n") == made
    assert len(text) <= TEXT_SIZE_MAX
    assert text.isascii()


@given(SECRETS, st.data())
def test_a_text_that_was_changed_or_cut_is_found_out(made: FarmSecret, data: st.DataObject) -> None:
    """Whichever character it is."""
    text = made.to_text()
    at = data.draw(st.integers(0, len(text) - 2))
    other = data.draw(st.sampled_from("0123456789abcdef \n-x").filter(lambda each: each != text[at]))
    for changed in (text[:at], text[:at] + other + text[at + 1 :], text[:at] + text[at + 1 :]):
        with pytest.raises(NoFarmSecretError) as raised:
            FarmSecret.from_text(changed)
        assert made.store_secret.hex()[:8] not in str(raised.value)


@given(st.text(max_size=300))
def test_arbitrary_text_is_no_secret(text: str) -> None:
    """And no other error."""
    with pytest.raises(NoFarmSecretError):
        FarmSecret.from_text(text)


def test_a_longer_text_is_refused() -> None:
    """A file of this size is something else."""
    with pytest.raises(NoFarmSecretError):
        FarmSecret.from_text(secret().to_text() + "\n" * TEXT_SIZE_MAX)


def test_a_secret_shows_nothing_and_cannot_be_copied() -> None:
    """But its fingerprint, which tells secrets apart."""
    made = secret(first=200)
    assert "xc8" not in repr(made)
    assert made.fingerprint == secret(2000, first=200).fingerprint != secret(first=201).fingerprint
    assert len(made.fingerprint) == 16
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            copied(made)


def test_a_farm_is_told_by_its_store_secret() -> None:
    """Wherever the ratchet is."""
    made = secret()
    assert made.is_of_the_farm(made.at(made.ratchet.next()))
    assert not made.is_of_the_farm(secret(first=1))
    assert made != made.at(made.ratchet.next())


def test_a_new_secret_is_made_of_two_random_parts() -> None:
    """That have nothing to do with each other."""
    parts = iter([b"c" * 32, b"s" * 32])
    made = FarmSecret.make(lambda _: next(parts), epoch_seconds=60, epoch=7)
    assert (made.ratchet.chain_key, made.store_secret, made.ratchet.epoch) == (b"c" * 32, b"s" * 32, 7)


def test_a_store_secret_has_32_bytes() -> None:
    """No more and no fewer."""
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        FarmSecret(store_secret=bytes(31), ratchet=secret().ratchet)
