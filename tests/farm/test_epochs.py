import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.farm.epochs import EpochRules

RULES = st.integers(1, 4_320_000).flatmap(
    lambda seconds: st.builds(EpochRules, epoch_seconds=st.just(seconds), skew=st.integers(0, seconds // 2))
)
TIMES = st.integers(0, 2**40)


@given(RULES, TIMES, st.integers(-5, 5))
def test_the_epochs_that_are_accepted_are_those_from_the_oldest_to_the_newest(
    rules: EpochRules, now: int, off: int
) -> None:
    """Whichever of the two ways one asks."""
    epoch = rules.epoch_at(now) + off
    is_between = rules.oldest_accepted(now) <= epoch <= rules.newest_accepted(now)
    assert rules.accepts(epoch, now) is is_between


@given(RULES, TIMES)
def test_one_key_encrypts_at_a_time_until_the_next_one_does(rules: EpochRules, now: int) -> None:
    """There is no second without one, and none with two."""
    epoch = rules.epoch_at(now)
    assert rules.begins_at(epoch) <= now < rules.encrypts_until(epoch) == rules.begins_at(epoch + 1)
    assert rules.accepts(epoch, now)
    assert rules.accepts(epoch - 1, now)


@given(RULES, TIMES, st.data())
def test_a_ticket_is_accepted_for_an_epoch_on_every_host_whose_clock_is_within_the_skew(
    rules: EpochRules, now: int, data: st.DataObject
) -> None:
    """From the moment it is made, ahead of the maker's clock or behind it."""
    made_with = rules.epoch_at(now)
    later = now + data.draw(st.integers(0, rules.epoch_seconds))
    other_clock = later + data.draw(st.integers(-rules.skew, rules.skew))
    assert rules.accepts(made_with, other_clock)


@given(RULES, TIMES)
def test_a_key_to_hand_round_is_there_before_any_clock_reaches_its_epoch(rules: EpochRules, now: int) -> None:
    """Twice the skew at least, and never more than an epoch."""
    assert 2 * rules.skew <= rules.lead <= rules.epoch_seconds
    assert rules.begins_at(rules.epoch_at(now + rules.lead)) - rules.skew <= now + rules.lead


def test_the_times_of_an_hour() -> None:
    """With a timeout of an hour and half a minute of skew."""
    rules = EpochRules.for_timeout(3600, 30)
    assert rules.epoch_seconds == 1800
    assert rules.epoch_at(1_700_000_000) == 944444
    assert rules.begins_at(944444) == 1_699_999_200
    assert rules.encrypts_until(944444) == 1_700_001_000
    assert rules.decrypts_from(944444) == 1_699_999_170
    assert rules.decrypts_until(944444) == 1_700_002_830
    assert rules.lead == 450


@pytest.mark.parametrize(("seconds", "skew"), [(0, 0), (-1, 0), (60, -1), (60, 31)])
def test_what_makes_no_sense_is_refused(seconds: int, skew: int) -> None:
    """An epoch without seconds, and clocks that differ by more than half of one."""
    with pytest.raises(ValueError, match="epoch"):
        EpochRules(epoch_seconds=seconds, skew=skew)
