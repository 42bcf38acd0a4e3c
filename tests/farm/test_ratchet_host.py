"""A host's keys, by its secret and its clocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.farm.ratchet_host import RULES, START, Host
from tests.farm.stolen_state import cipher_keys_within
from tests.farm.test_secret import secret
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKeyState
from tlsmgr.farm.ratchet import PROOF_SECONDS
from tlsmgr.farm.ratchet_host import NAMES_AHEAD, SLICE_STEPS, RatchetHost, TroubleKind
from tlsmgr.tickets import TicketKey


def test_two_hosts_with_one_secret_resume_each_others_sessions() -> None:
    """From the epoch in which a ticket is made to the end of the next one."""
    ours, theirs = Host(990), Host(990)
    theirs.take(secret(990).at(secret(990).ratchet.advanced(998)))
    theirs.live(0)
    ticket = ours.encrypts_with()
    assert theirs.encrypts_with() == ticket
    for _ in range(10):
        theirs.live(9)
        assert theirs.decrypts(ticket)
    theirs.live(10)
    assert not theirs.decrypts(ticket)


def test_the_table_has_the_next_key_before_its_epoch() -> None:
    """And there is no second without one to encrypt with."""
    host = Host()
    for _ in range(200):
        host.live(1)
        assert host.encrypts_with() is not None
        assert host.table.keys[0].epoch == RULES.epoch_at(host.now) + 1


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(-400, 400)), max_size=20))
def test_no_key_is_in_the_table_past_its_end_whatever_the_clock_does(steps: list[tuple[int, int]]) -> None:
    """And none is to be derived from what is kept, once the clock has stood still for a minute."""
    host = Host()
    for seconds, leap in steps:
        host.live(seconds, by_clock=max(1 - host.now, seconds + leap))
        states = {host.table.state(each, host.now) for each in host.table.keys}
        assert FarmKeyState.OVER not in states
    host.live(0)
    host.live(int(PROOF_SECONDS), by_clock=0)
    assert host.secret is not None
    assert host.secret.ratchet.epoch >= RULES.oldest_accepted(host.now)


def test_a_host_that_slept_works_at_once_and_forgets_after_a_minute() -> None:
    """In slices: a step at a time would take long."""
    host = Host()
    host.now += 60 * 1000
    slices = 0
    while host.work(host.now, 1.0):
        slices += 1
        assert host.trouble_kind() in (None, TroubleKind.CATCHING_UP)
    assert slices == 1000 // SLICE_STEPS
    assert host.leapt
    assert host.encrypts_with() == secret(999).ratchet.advanced(2000).key_material()[:16]
    assert host.due(PROOF_SECONDS) is None
    due = host.due(PROOF_SECONDS + 1.0)
    assert due == secret(999).at(secret(999).ratchet.advanced(1999))


def test_a_clock_that_was_ahead_for_a_moment_costs_nothing() -> None:
    """Not even one that was ahead by a day."""
    host = Host()
    ticket = host.encrypts_with()
    host.live(1, by_clock=86400)
    assert not host.decrypts(ticket)
    host.live(9, by_clock=9 - 86400)
    assert host.encrypts_with() == ticket
    assert not host.leapt


def test_a_clock_that_was_an_epoch_ahead_for_a_tick_costs_no_key() -> None:
    """The previous one is needed again."""
    host = Host()
    host.live(0, by_clock=60)
    host.live(1, by_clock=1 - 60)
    assert host.decrypts(secret(999).ratchet.key_material()[:16])
    assert host.secret == secret(999)


def test_a_clock_that_is_behind_is_said() -> None:
    """With how far; there are no keys of before to go back to."""
    host = Host()
    host.live(0, by_clock=-60 * 5)
    assert host.encrypts_with() is None
    trouble = host.trouble(host.now)
    assert trouble is not None
    assert trouble.kind is TroubleKind.CLOCK
    assert "clock is behind" in trouble.text
    host.live(0, by_clock=60 * 5)
    assert host.trouble(host.now) is None


def test_another_timeout_is_said_and_gives_no_key() -> None:
    """The two would not agree about the epochs; and all is well as soon as it is set back."""
    host = Host()
    host.use(EpochRules(epoch_seconds=90, skew=10))
    host.live(0)
    assert host.table.keys == ()
    trouble = host.trouble(host.now)
    assert trouble is not None
    assert (trouble.kind, "set it to 120s" in trouble.text) == (TroubleKind.MISFIT, True)
    host.use(RULES)
    host.live(0)
    assert host.encrypts_with() == Host().encrypts_with()


def test_without_tickets_there_is_no_key_and_no_trouble() -> None:
    """A timeout of 0 is no fault."""
    host = Host()
    host.use(None)
    host.live(0)
    assert (host.table.keys, host.trouble(host.now)) == ((), None)


def test_a_host_without_a_secret_says_so() -> None:
    """It has nothing to forget."""
    host = RatchetHost()
    host.use(RULES)
    assert not host.work(START, 0.0)
    assert host.due(0.0) is None
    trouble = host.trouble(START)
    assert trouble is not None
    assert trouble.kind is TroubleKind.UNREAD


def test_a_change_of_secrets_loses_no_ticket() -> None:
    """Tickets of the former one are decrypted to their end; new ones are made with the new one."""
    host = Host()
    ticket = host.encrypts_with()
    host.take(secret(999, first=1))
    host.live(0)
    assert host.decrypts(ticket)
    assert host.encrypts_with() == Host(first=1).encrypts_with() != ticket
    host.live(90)
    assert host.decrypts(ticket)
    host.live(20)
    assert not host.decrypts(ticket)


def test_keys_of_a_former_secret_leave_the_memory_at_their_end() -> None:
    """Also where the new chain has nothing of its own to forget at that time."""
    host = Host()
    host.take(secret(1001, first=1))
    for _ in range(20):
        host.live(10)
        assert all(host.now < RULES.decrypts_until(each.epoch) for each in host.table.keys)


def test_a_secret_that_begins_with_the_next_epoch_lets_all_hosts_change_over_before() -> None:
    """Whoever has it and whoever has not resume each other's sessions until then, and in it all have it."""
    changed, waiting = Host(), Host()
    changed.take(secret(1001, first=1))
    changed.live(0)
    assert changed.encrypts_with() == waiting.encrypts_with()
    changed.live(20)
    waiting.take(secret(1001, first=1))
    waiting.live(20)
    for host in (changed, waiting):
        host.live(15)
    expected = secret(1001, first=1).ratchet.key_material()[:16]
    assert changed.encrypts_with() == waiting.encrypts_with() == expected


def test_names_ahead_and_of_before_are_known_by_their_epoch() -> None:
    """So many epochs ahead; and of before as long as they were in the table."""
    host = Host()
    chain = secret(999).ratchet
    for epoch in (999, 1000, 1001, 1001 + NAMES_AHEAD):
        assert host.epoch_of(chain.advanced(epoch).key_material()[:16]) == epoch
    assert host.epoch_of(chain.advanced(1002 + NAMES_AHEAD).key_material()[:16]) is None
    for _ in range(20):
        host.live(60)
    assert host.epoch_of(chain.key_material()[:16]) == 999
    assert host.epoch_of(bytes(16)) is None


@given(
    st.integers(-RULES.skew, RULES.skew),
    st.lists(st.tuples(st.integers(0, 150), st.sampled_from(["both", "first", "second"])), max_size=25),
)
def test_hosts_with_clocks_within_the_skew_resume_each_others_tickets_for_an_epoch(
    apart: int, steps: list[tuple[int, str]]
) -> None:
    """Whenever either of them sleeps: the tickets of the last epoch are good on both."""
    first, second = Host(990), Host(990)
    second.live(0, by_clock=apart)
    tickets: list[tuple[int, bytes | None]] = []
    elapsed = 0
    for seconds, awake in steps:
        elapsed += seconds
        for name, host in (("first", first), ("second", second)):
            asleep = awake not in ("both", name)
            host.monotonic += 0 if asleep else seconds
            host.now += seconds
            if not asleep:
                host.live(0)
                tickets.append((elapsed, host.encrypts_with()))
                for made_at, ticket in tickets:
                    assert elapsed - made_at > RULES.epoch_seconds or host.decrypts(ticket)


def test_from_all_that_a_host_has_no_key_of_an_epoch_follows_that_the_rules_do_not_keep() -> None:
    """Not from its file, nor from its memory, by any way forward; of what is kept, all of them do."""
    host, chain = Host(990), secret(990).ratchet
    for _ in range(30):
        host.live(20)
    host.take(secret(990).at(chain.advanced(1005)))
    for _ in range(30):
        host.live(20)
    now_oldest = RULES.oldest_accepted(host.now)
    assert host.secret is not None
    reachable = cipher_keys_within([host, host.secret.to_text()], epochs=range(985, now_oldest + 3))
    for epoch in range(990, now_oldest + 2):
        key = TicketKey.from_material(chain.advanced(epoch).key_material(), encrypts_until=0)
        assert (key.cipher_key in reachable) is (epoch >= now_oldest), epoch


@pytest.mark.parametrize("epoch_seconds", [60, 90])
def test_keys_of_a_former_secret_are_forgotten_at_their_end(epoch_seconds: int) -> None:
    """Also while the one that was imported is for another timeout, and gives no key."""
    host = Host()
    keys = {each.key.cipher_key for each in host.table.keys}
    host.take(secret(60_030 // epoch_seconds, first=1, epoch_seconds=epoch_seconds))
    host.live(0)
    assert keys & cipher_keys_within([host], epochs=range(0)) == keys
    for _ in range(12):
        host.live(20)
    assert not keys & cipher_keys_within([host], epochs=range(0))
