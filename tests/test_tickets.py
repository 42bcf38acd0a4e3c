import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.tickets import (
    KEY_MATERIAL_SIZE,
    PACKED_KEY_SIZE,
    TicketKey,
    TicketKeyRing,
)

MATERIAL = bytes(range(80))
NOW = 1_700_000_000


def numbered_bytes() -> Callable[[int], bytes]:
    """Return a source of "random" bytes that differ from call to call."""
    calls = iter(range(1 << 32))
    return lambda size: next(calls).to_bytes(8, "big").ljust(size, b"k")


@dataclass
class PostfixKey:
    """What the model below keeps of a key."""

    name: bytes
    tout: int


class PostfixKeys:
    """Postfix's rule (tls_scache_key, tls_scache_key_rotate and tlsmgr_key), in its own terms."""

    def __init__(self) -> None:
        self.slots: list[PostfixKey | None] = [None, None]

    def lookup(self, name: bytes, now: int, half: int) -> PostfixKey | None:
        """The first slot with that name decides, and an empty name asks for slot 0."""
        if not name:
            first = self.slots[0]
            return first if first and first.tout > now else None
        for slot in self.slots:
            if slot is None:
                break
            if slot.name == name:
                return slot if slot.tout + half > now else None
        return None

    def request(self, name: bytes, now: int, timeout: int, new_name: bytes) -> PostfixKey | None:
        """Answer a tktkey request."""
        if timeout <= 0:
            return None
        half = timeout // 2
        found = self.lookup(name, now, half)
        if found or name:
            return found
        key = PostfixKey(new_name, now + half - 1)
        self.slots[1], former = key, self.slots[0]
        if former is None or former.tout < key.tout:
            self.slots = [key, former]
        return key


def test_a_packed_key_is_the_c_structure_of_postfix() -> None:
    """88 bytes on a 64-bit machine: 16, 32 and 32 bytes and a native time_t."""
    key = TicketKey.from_material(MATERIAL, encrypts_until=NOW)
    if struct.calcsize("@l") == 8:
        assert PACKED_KEY_SIZE == 88
        assert key.pack() == MATERIAL + struct.pack("@q", NOW)
    assert key.pack()[:80] == key.name + key.cipher_key + key.mac_key


@given(st.binary(min_size=80, max_size=80), st.integers(-(2**31), 2**31 - 1))
def test_unpack_undoes_pack(material: bytes, encrypts_until: int) -> None:
    """A key goes through its packed form unchanged."""
    key = TicketKey.from_material(material, encrypts_until=encrypts_until)
    assert TicketKey.unpack(key.pack()) == key


@pytest.mark.parametrize("size", [0, KEY_MATERIAL_SIZE - 1, KEY_MATERIAL_SIZE + 1])
def test_a_key_is_never_made_of_less_or_more_material(size: int) -> None:
    """A generator that gives short reads makes no weak key."""
    with pytest.raises(ValueError, match="16, 32 and 32"):
        TicketKeyRing().encryption_key(now=NOW, timeout=120, random_bytes=lambda _: b"x" * size)


def test_only_a_whole_structure_is_unpacked() -> None:
    """Any other size is an error, not a key."""
    with pytest.raises(ValueError, match="bytes, not 3"):
        TicketKey.unpack(b"abc")


def test_a_repr_shows_the_name_only() -> None:
    """Neither half of the secret appears in a log that shows a key or a ring."""
    key = TicketKey.from_material(MATERIAL, encrypts_until=NOW)
    assert repr(key) == f"TicketKey(name={MATERIAL[:16].hex()}, encrypts_until={NOW})"
    shown = repr(TicketKeyRing(current=key))
    assert MATERIAL[16:48].hex() not in shown
    assert repr(MATERIAL[16:48])[2:-1] not in shown


def test_keys_compare_by_all_of_their_parts() -> None:
    """Equal keys are equal values; one different byte makes another key."""
    key = TicketKey.from_material(MATERIAL, encrypts_until=NOW)
    assert {key, TicketKey.from_material(MATERIAL, encrypts_until=NOW)} == {key}
    assert key != TicketKey.from_material(MATERIAL, encrypts_until=NOW + 1)
    assert key != TicketKey.from_material(MATERIAL[:-1] + b"!", encrypts_until=NOW)
    assert key != key.pack()


@pytest.mark.parametrize("timeout", [0, -1])
def test_without_a_timeout_there_are_no_tickets(timeout: int) -> None:
    """No key is made, and one that is there is not given."""
    ring, key = TicketKeyRing().encryption_key(now=NOW, timeout=3600, random_bytes=numbered_bytes())
    assert key is not None
    assert ring.encryption_key(now=NOW, timeout=timeout, random_bytes=numbered_bytes()) == (ring, None)
    assert ring.find(key.name, now=NOW, timeout=timeout) is None


def test_a_key_encrypts_for_half_of_the_timeout_and_decrypts_for_another() -> None:
    """The structure's tout is now + half - 1, and both ends are exclusive."""
    random = numbered_bytes()
    ring, first = TicketKeyRing().encryption_key(now=NOW, timeout=3600, random_bytes=random)
    assert first is not None
    assert first.encrypts_until == NOW + 1799
    assert ring.encryption_key(now=NOW + 1798, timeout=3600, random_bytes=random) == (ring, first)
    later, second = ring.encryption_key(now=NOW + 1799, timeout=3600, random_bytes=random)
    assert (later.current, later.previous) == (second, first)
    assert later.find(first.name, now=NOW + 3598, timeout=3600) is first
    assert later.find(first.name, now=NOW + 3599, timeout=3600) is None


@pytest.mark.parametrize("name", [b"", b"x", b"x" * 15, b"x" * 17, b"x" * 16])
def test_an_unknown_name_finds_no_key(name: bytes) -> None:
    """A name of another length is merely unknown."""
    ring, _ = TicketKeyRing().encryption_key(now=NOW, timeout=3600, random_bytes=numbered_bytes())
    assert ring.find(name, now=NOW, timeout=3600) is None


@given(
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(-20, 150), st.integers(-1, 30)), max_size=60),
)
def test_every_answer_is_the_one_that_postfix_gives(timeout: int, steps: list[tuple[int, int]]) -> None:
    """For any sequence of times and names, also when the clock is set back by less than a session lives."""
    ring, model, random, now = TicketKeyRing(), PostfixKeys(), numbered_bytes(), NOW
    names: list[bytes] = []
    for number, (pause, asked) in enumerate(steps):
        now += pause
        if any(key is not None and key.outlives(now, timeout) for key in (ring.current, ring.previous)):
            return
        name = names[-asked] if 0 < asked <= len(names) else b""
        if name:
            key = ring.find(name, now=now, timeout=timeout)
        else:
            ring, key = ring.encryption_key(now=now, timeout=timeout, random_bytes=random)
            names += [key.name] if key and key.name not in names else []
        # The model is given the name that a new key would have; it knows only of those it made.
        expected = model.request(name, now, timeout, key.name if key else number.to_bytes(16, "big"))
        assert (key and (key.name, key.encrypts_until)) == (expected and (expected.name, expected.tout))


@given(st.integers(120, 1000), st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_a_ticket_is_readable_for_half_of_the_timeout_at_least(timeout: int, pauses: list[int]) -> None:
    """A key that was given to encrypt is found by name while Postfix's two slots can hold it.

    The third key of a busy server pushes the first one out in the last second of its time, as
    in Postfix; after its time it is never found.
    """
    ring, random, now, half = TicketKeyRing(), numbered_bytes(), NOW, timeout // 2
    given_out: dict[bytes, int] = {}
    for pause in pauses:
        now += pause
        ring, key = ring.encryption_key(now=now, timeout=timeout, random_bytes=random)
        assert key is not None
        assert key.encrypts_until >= now
        given_out[key.name] = key.encrypts_until
        for name, encrypts_until in given_out.items():
            found = ring.find(name, now=now, timeout=timeout)
            if now < encrypts_until + half - 1:
                assert found is not None
            if now >= encrypts_until + half:
                assert found is None


def test_a_fresh_key_is_readable_in_its_last_second_when_no_third_one_is_made() -> None:
    """Only a new key drops an old one, not the time."""
    ring, key = TicketKeyRing().encryption_key(now=NOW, timeout=120, random_bytes=numbered_bytes())
    assert key is not None
    assert ring.find(key.name, now=key.encrypts_until + 59, timeout=120) is key
    assert ring.find(key.name, now=key.encrypts_until + 60, timeout=120) is None


def test_a_shortened_timeout_holds_for_the_keys_that_are_there() -> None:
    """A key made for 90 days neither encrypts nor decrypts once sessions live two minutes."""
    random = numbered_bytes()
    ring, old = TicketKeyRing().encryption_key(now=NOW, timeout=90 * 86400, random_bytes=random)
    assert old is not None

    ring, new = ring.encryption_key(now=NOW, timeout=120, random_bytes=random)

    assert new is not None
    assert new.encrypts_until == NOW + 59
    assert ring.encryption_key(now=NOW, timeout=120, random_bytes=random) == (ring, new)
    assert ring.find(new.name, now=NOW, timeout=120) == new
    assert ring.find(old.name, now=NOW, timeout=120) is None


KEYS = st.builds(
    TicketKey.from_material,
    st.binary(min_size=80, max_size=80),
    encrypts_until=st.integers(-(2**31), 2**31 - 1),
)


@given(st.builds(TicketKeyRing, current=st.none() | KEYS, previous=st.none() | KEYS))
def test_a_ring_goes_through_its_packed_form_unchanged(ring: TicketKeyRing) -> None:
    """Each of its keys in its own place."""
    assert TicketKeyRing.unpack(ring.pack()) == ring


@given(st.binary(max_size=2 + 2 * PACKED_KEY_SIZE + 1))
def test_arbitrary_bytes_are_a_ring_or_a_value_error(packed: bytes) -> None:
    """And a ring that they are is that of these bytes."""
    try:
        ring = TicketKeyRing.unpack(packed)
    except ValueError:
        return
    assert ring.pack() == packed


@given(st.integers(4, 100_000), st.lists(st.integers(0, 2000), max_size=8))
def test_a_renewed_ring_encrypts_with_a_new_key_and_decrypts_with_the_one_before(
    timeout: int, steps: list[int]
) -> None:
    """At any time, also in the second in which the one before was made."""
    ring, now, source = TicketKeyRing(), NOW, numbered_bytes()
    for step in steps:
        now += step
        ring, former = ring.encryption_key(now=now, timeout=timeout, random_bytes=source)
        ring = ring.renewed(now=now, timeout=timeout, random_bytes=source)
        _, key = ring.encryption_key(now=now, timeout=timeout, random_bytes=source)
        assert former is not None
        assert key is not None
        assert key.name != former.name
        assert ring.find(former.name, now=now, timeout=timeout) == former


def test_a_ring_for_no_tickets_is_not_renewed() -> None:
    """A timeout of 0 asks for no key at all."""
    ring = TicketKeyRing()

    assert ring.renewed(now=NOW, timeout=0, random_bytes=numbered_bytes()) is ring
