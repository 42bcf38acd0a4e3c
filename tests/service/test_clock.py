"""A clock that is set: nothing is served, kept or dropped wrongly by more than it was set by."""

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from tlsmgr.storage.entries import is_fresh
from tlsmgr.storage.sessions import Put, SessionStore
from tlsmgr.tickets import TicketKey, TicketKeyRing

TIMEOUT = 3600
BEGIN = 1_000_000

#: Seconds that go by, and seconds by which the clock is set forward (or back) after them.
Turns: TypeAlias = list[tuple[int, int]]
TURNS = st.lists(st.tuples(st.integers(0, 4000), st.integers(-20_000, 20_000)), max_size=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What was at the end of a turn: the clock, how long it took to here, and how far it was set."""

    clock: int
    age: int
    back: int
    forward: int


def moments(turns: Turns) -> list[Moment]:
    """Return what is after each turn, with what began at ``BEGIN``."""
    found = []
    clock, age, back, forward = BEGIN, 0, 0, 0
    for seconds, step in turns:
        clock, age = clock + seconds + step, age + seconds
        back, forward = back + max(0, -step), forward + max(0, step)
        found.append(Moment(clock=clock, age=age, back=back, forward=forward))
    return found


@given(turns=TURNS)
def test_a_session_is_served_too_long_or_too_short_by_the_steps_at_most(turns: Turns) -> None:
    """Too long by what the clock was set back, too short by what it was set forward."""
    for moment in moments(turns):
        if is_fresh(BEGIN, BEGIN + TIMEOUT, moment.clock, TIMEOUT):
            assert moment.age < TIMEOUT + moment.back
        else:
            assert moment.age >= TIMEOUT - moment.forward


@settings(max_examples=20)
@given(turns=TURNS)
def test_a_session_is_swept_too_early_by_the_steps_at_most(turns: Turns) -> None:
    """And once it has gone it stays so, however the clock is set."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SessionStore(Path(folder, "store"), checkpoints=True) as store,
    ):
        store.apply([Put(cache_id=b"id", session=b"s", stored_at=BEGIN, expires_at=BEGIN + TIMEOUT)])
        for moment in moments(turns):
            if store.remove_expired(moment.clock):
                assert moment.age >= TIMEOUT - moment.forward
                assert store.find(b"id") is None
                return
            assert moment.age < TIMEOUT + moment.back


@given(turns=TURNS)
def test_a_ticket_key_is_used_too_long_by_the_steps_at_most(turns: Turns) -> None:
    """To encrypt for one half of the timeout, to decrypt for another; the clock set back adds to both."""
    numbers = itertools.count(1)
    ring, first = _asked(TicketKeyRing(), BEGIN, numbers)
    for moment in moments(turns):
        found = ring.find(first.name, now=moment.clock, timeout=TIMEOUT)
        assert found is None or moment.age < TIMEOUT + moment.back
        ring, current = _asked(ring, moment.clock, numbers)
        if current == first:
            assert moment.age < TIMEOUT // 2 + moment.back


@given(turns=TURNS)
def test_a_ticket_key_that_is_given_out_ends_within_a_timeout(turns: Turns) -> None:
    """However far the clock was set: smtpd, which asks again at that time, does not keep it for hours."""
    numbers = itertools.count(1)
    ring = TicketKeyRing()
    for moment in moments(turns):
        ring, current = _asked(ring, moment.clock, numbers)
        assert 0 < current.encrypts_until - moment.clock <= TIMEOUT
        found = ring.find(current.name, now=moment.clock, timeout=TIMEOUT)
        assert found == current


def _asked(ring: TicketKeyRing, now: int, numbers: "itertools.count[int]") -> tuple[TicketKeyRing, TicketKey]:
    ring, key = ring.encryption_key(
        now=now, timeout=TIMEOUT, random_bytes=lambda size: next(numbers).to_bytes(size, "little")
    )
    assert key is not None
    return ring, key
