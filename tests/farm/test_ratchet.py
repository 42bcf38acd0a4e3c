import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.farm.ratchet import CHAIN_KEY_SIZE, PROOF_SECONDS, USUAL_PROOF_SECONDS, Progress, Ratchet

SECRET = bytes(range(32))


def chain(epoch: int = 1000, *, secret: bytes = SECRET, epoch_seconds: int = 60) -> Ratchet:
    """Return a chain at an epoch."""
    return Ratchet(epoch_seconds=epoch_seconds, epoch=epoch, chain_key=secret)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 30), st.integers(0, 30))
def test_every_way_to_an_epoch_leads_to_the_same_chain(secret: bytes, first: int, second: int) -> None:
    """In one go, with a stop between, and step by step."""
    start = chain(secret=secret)
    there = start.advanced(1000 + first + second)
    assert start.advanced(1000 + first).advanced(1000 + first + second) == there
    assert list(start.following(first + second + 1))[-1] == there
    assert start.advanced(1000 + first + second, steps=first).epoch == 1000 + first


def test_there_is_no_way_back() -> None:
    """An earlier epoch is as good as none; the chain stays where it is."""
    assert chain(1000).advanced(900) == chain(1000)


def test_keys_of_two_epochs_lengths_or_secrets_have_nothing_in_common() -> None:
    """No chain key and no ticket key comes twice, nor one of the one as the other."""
    seen = [
        part
        for start in (chain(), chain(2000), chain(epoch_seconds=61), chain(secret=bytes(31) + b"!"))
        for each in start.following(50)
        for part in (each.chain_key, each.key_material()[:32], each.key_material()[16:48])
    ]
    assert len(set(seen)) == len(seen) - 2  # three of the four begin with one secret


@pytest.mark.parametrize(
    ("seconds", "epoch", "size"),
    [(0, 1, 32), (60, -1, 32), (60, 1, 31), (60, 1, 33), (1 << 32, 1, 32), (60, 1 << 63, 32)],
)
def test_a_malformed_chain_is_refused_without_quoting_it(seconds: int, epoch: int, size: int) -> None:
    """A length, a number or a size that is out of range."""
    with pytest.raises(ValueError, match=r"chain key has|out of range") as raised:
        Ratchet(epoch_seconds=seconds, epoch=epoch, chain_key=b"s" * size)
    assert "ss" not in str(raised.value)


def test_a_chain_shows_no_key_and_cannot_be_copied() -> None:
    """Nor can what holds it."""
    assert "chain_key" not in repr(Progress.at(chain()))
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            copied(chain())


def test_a_new_chain_is_made_of_32_random_bytes() -> None:
    """Asked for once."""
    sizes = []

    def random_bytes(size: int) -> bytes:
        sizes.append(size)
        return SECRET

    assert Ratchet.make(random_bytes, epoch_seconds=60, epoch=1000) == chain()
    assert sizes == [CHAIN_KEY_SIZE]


def _followed(progress: Progress, oldest: int, monotonic: float, *, steps: int = 1000) -> Progress:
    progress = progress.towards(oldest, monotonic=monotonic, steps=steps)
    return progress.settled() if progress.is_proven(monotonic=monotonic) else progress


def test_the_usual_advance_is_for_good_after_ten_seconds() -> None:
    """A clock that was ahead by an epoch for a moment has destroyed nothing."""
    progress = _followed(Progress.at(chain()), 1001, 5.0)
    assert (progress.kept, progress.working) == (chain(), chain().next())
    assert _followed(progress, 1000, 6.0) == Progress.at(chain())
    assert _followed(progress, 1001, 5.0 + USUAL_PROOF_SECONDS) == Progress.at(chain().next())


def test_a_leap_is_worked_with_at_once_and_for_good_after_a_minute() -> None:
    """So a clock that was ahead for a moment has destroyed nothing."""
    progress = _followed(Progress.at(chain()), 1050, 5.0)
    assert progress.is_at(1050)
    assert progress.kept == chain()
    assert _followed(progress, 1000, 20.0) == Progress.at(chain())
    assert _followed(progress, 1050, 5.0 + PROOF_SECONDS) == Progress.at(chain().advanced(1050))


def test_a_minute_counts_from_the_last_leap() -> None:
    """Not from one that was taken back."""
    progress = _followed(Progress.at(chain()), 1050, 5.0)
    progress = _followed(_followed(progress, 1000, 20.0), 1050, 60.0)
    assert _followed(progress, 1050, 66.0).kept == chain()
    assert _followed(progress, 1050, 121.0).kept.epoch == 1050


def test_a_long_way_is_gone_in_slices() -> None:
    """Each as long as was asked for; meanwhile it says that it is under way."""
    progress, slices = Progress.at(chain()), 0
    while not progress.is_at(1250):
        progress = progress.towards(1250, monotonic=1.0, steps=100)
        slices += 1
    assert slices == 3
    assert progress.working == chain().advanced(1250)


def test_a_chain_that_begins_later_is_all_there_is() -> None:
    """A new farm's: there is no key of the epoch before."""
    progress = Progress.at(chain()).towards(998, monotonic=1.0, steps=10)
    assert progress == Progress.at(chain())
    assert progress.is_at(998)
    assert not progress.is_ahead_of(1000)
    assert progress.is_ahead_of(999)


@given(st.lists(st.tuples(st.integers(-10, 10), st.integers(0, 90)), max_size=20))
def test_no_chain_comes_back_that_was_forgotten_and_all_others_can_be_had(
    steps: list[tuple[int, int]],
) -> None:
    """Whatever the clock does: what is kept only advances, and what is worked with follows from it."""
    progress, oldest, monotonic = Progress.at(chain()), 1000, 0.0
    for leap, pause in steps:
        oldest, monotonic, former = oldest + leap, monotonic + pause, progress
        progress = _followed(progress, oldest, monotonic)
        assert progress.kept.epoch >= former.kept.epoch
        assert progress.is_at(oldest)
        assert progress.working == chain().advanced(progress.working.epoch)
