from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import EMPTY_TABLE, KEYS_OF_ONE_EPOCH_MAX, FarmKey, FarmKeyState, KeyTable
from tlsmgr.tickets import KEY_MATERIAL_SIZE

RULES = EpochRules(epoch_seconds=60, skew=10)
_NOW = 60 * 1000 + 30


def key(epoch: int, number: int = 0) -> FarmKey:
    """Return one of the keys of an epoch."""
    material = epoch.to_bytes(8, "big") + bytes([number]) * (KEY_MATERIAL_SIZE - 8)
    return FarmKey.from_material(material, epoch=epoch, rules=RULES, source="ratchet")


_ADDED = st.lists(
    st.tuples(st.builds(key, st.integers(996, 1004), st.integers(0, 5)), st.booleans()), max_size=20
)


def _table(added: list[tuple[FarmKey, bool]]) -> KeyTable:
    table = KeyTable(rules=RULES)
    for each, preferred in added:
        table = table.with_key(each, preferred=preferred)
    return table


@given(_ADDED)
def test_keys_are_in_the_order_of_their_epochs_and_none_is_there_twice(
    added: list[tuple[FarmKey, bool]],
) -> None:
    """The latest epoch first; of one epoch no more than a few."""
    table = _table(added)
    epochs = [each.epoch for each in table.keys]
    assert epochs == sorted(epochs, reverse=True)
    assert all(epochs.count(epoch) <= KEYS_OF_ONE_EPOCH_MAX for epoch in epochs)
    assert len({each.key.name for each in table.keys}) == len(table.keys)


@given(_ADDED, st.integers(996, 1004))
def test_the_key_that_was_preferred_last_encrypts_in_its_epoch(
    added: list[tuple[FarmKey, bool]], epoch: int
) -> None:
    """Or the first one that there was, when none was preferred."""
    first = key(epoch, 6)
    table = _table(added).with_key(first)
    assert table.encryption_key(RULES.begins_at(epoch)) == first
    assert table.with_key(key(epoch, 7), preferred=False).encryption_key(RULES.begins_at(epoch)) == first


@given(_ADDED, st.integers(60 * 995, 60 * 1006))
def test_a_key_is_found_in_its_time_and_never_outside_of_it(
    added: list[tuple[FarmKey, bool]], now: int
) -> None:
    """From a skew before its epoch to a skew after the next one; and pruning takes none that is found."""
    table = _table(added)
    for each in table.keys:
        found = table.find(each.key.name, now)
        assert (found is not None) is RULES.accepts(each.epoch, now)
        assert table.pruned(now).find(each.key.name, now) == found


@given(_ADDED, st.integers(60 * 995, 60 * 1006))
def test_nothing_is_kept_past_its_end(added: list[tuple[FarmKey, bool]], now: int) -> None:
    """A pruned table has no key whose time is over."""
    for each in _table(added).pruned(now).keys:
        assert now < RULES.decrypts_until(each.epoch)


@given(_ADDED, st.integers(60 * 995, 60 * 1006))
def test_smtpd_encrypts_with_no_key_that_it_asked_for_by_its_name_but_the_present_one(
    added: list[tuple[FarmKey, bool]], now: int
) -> None:
    """It would with one whose tout lies ahead; and it goes on to decrypt with it for an epoch at least."""
    table = _table(added)
    for each in table.keys:
        given_out = table.given_out(each, now)
        assert given_out.pack()[:80] == each.key.pack()[:80]
        assert (given_out.encrypts_until > now) is (each == table.encryption_key(now))
        if table.find(each.key.name, now) is not None:
            assert given_out.encrypts_until + RULES.epoch_seconds >= now - RULES.skew


def test_states() -> None:
    """One for each thing that a key is good for."""
    table = _table([(key(epoch), True) for epoch in (998, 999, 1000, 1001)])
    table = table.with_key(key(1000, 1), preferred=False)
    assert [str(table.state(each, _NOW)) for each in table.keys] == [
        "next",
        "current",
        "other",
        "previous",
        "over",
    ]
    assert table.state(key(998), RULES.begins_at(1000) + 5) is FarmKeyState.PREVIOUS


def test_an_empty_table_has_no_key() -> None:
    """At any time."""
    assert EMPTY_TABLE.encryption_key(_NOW) is None
    assert EMPTY_TABLE.find(bytes(16), _NOW) is None
    assert EMPTY_TABLE.pruned(_NOW) == EMPTY_TABLE


def test_a_repr_has_no_secret() -> None:
    """Name, epoch and times are all of it."""
    shown = repr(key(1000, 200))
    assert bytes([200]).hex() * 2 not in shown.replace(key(1000, 200).key.name.hex(), "")
    assert "xc8" not in shown
