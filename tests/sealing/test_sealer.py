import os
import struct
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlsmgr.errors import Status
from tlsmgr.messages import CacheType
from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import (
    OVERHEAD,
    OtherKeyError,
    Sealer,
    TamperedError,
    UnsealError,
    bound,
    session_places,
)

KEY = SealingKey(bytes(range(32)))
KEYS = SealingKeys(keys=(KEY,))
OTHER = SealingKeys(keys=(SealingKey(b"o" * 32),))
TIMES = st.floats(allow_nan=False)
PLACES = st.tuples(st.sampled_from(CacheType), st.binary(max_size=40), TIMES, TIMES)


def numbered() -> Callable[[int], bytes]:
    """Return a source of "random" bytes that differ from call to call."""
    calls = count()
    return lambda size: next(calls).to_bytes(size, "big")


@given(st.binary(max_size=2000), st.binary(max_size=100))
def test_what_was_sealed_opens_where_it_belongs(plaintext: bytes, place: bytes) -> None:
    """With the same sealer, and with another one that has the key."""
    sealer = Sealer(KEYS, os.urandom)
    sealed = sealer.seal(plaintext, bound_to=place)
    assert len(sealed) == len(plaintext) + OVERHEAD
    assert sealer.open(sealed, bound_to=place) == plaintext
    assert Sealer(KEYS, os.urandom).open(sealed, bound_to=place) == plaintext


@given(st.binary(min_size=16, max_size=200), st.data())
def test_any_changed_bit_is_noticed(plaintext: bytes, data: st.DataObject) -> None:
    """In the ciphertext, the nonce, the salt or the version: tampering; in the key's id: no key."""
    sealer = Sealer(KEYS, os.urandom)
    sealed = bytearray(sealer.seal(plaintext, bound_to=b"here"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(OtherKeyError if 1 <= place < 9 else TamperedError):
        sealer.open(bytes(sealed), bound_to=b"here")


@given(st.binary(max_size=120))
def test_arbitrary_bytes_never_open_and_never_do_harm(junk: bytes) -> None:
    """Any bytes on disk give an UnsealError, and no other exception."""
    with pytest.raises(UnsealError) as raised:
        Sealer(KEYS, os.urandom).open(junk, bound_to=b"")
    assert raised.value.status is Status.NOT_DONE


@given(st.integers(0, 300))
def test_cut_bytes_do_not_open(size: int) -> None:
    """Wherever they were cut."""
    sealed = Sealer(KEYS, os.urandom).seal(bytes(200), bound_to=b"")
    with pytest.raises(TamperedError):
        Sealer(KEYS, os.urandom).open(sealed[: min(size, len(sealed) - 1)], bound_to=b"")


@given(PLACES, PLACES)
def test_an_entry_opens_in_its_own_place_only(
    home: tuple[CacheType, bytes, float, float], away: tuple[CacheType, bytes, float, float]
) -> None:
    """Another cache, id or time: moved, swapped, or made to live longer."""
    sealer = Sealer(KEYS, os.urandom)
    sealed = sealer.seal(b"session", bound_to=session_places(home[0])(*home[1:]))
    if repr(home) == repr(away):
        assert sealer.open(sealed, bound_to=session_places(away[0])(*away[1:])) == b"session"
    else:
        with pytest.raises(TamperedError, match="changed, or moved"):
            sealer.open(sealed, bound_to=session_places(away[0])(*away[1:]))


@given(st.lists(st.binary(max_size=12), max_size=5), st.lists(st.binary(max_size=12), max_size=5))
def test_no_two_sequences_of_parts_are_bound_alike(one: list[bytes], other: list[bytes]) -> None:
    """Bytes cannot wander from one part into the next."""
    assert (bound(*one) == bound(*other)) == (one == other)


def test_a_key_that_is_gone_is_no_alarm() -> None:
    """After a reboot every entry is like that: a miss, and told from tampering."""
    sealed = Sealer(OTHER, os.urandom).seal(b"session", bound_to=b"")
    with pytest.raises(OtherKeyError, match="gone"):
        Sealer(KEYS, os.urandom).open(sealed, bound_to=b"")


def test_a_sealer_opens_with_all_its_keys_and_seals_with_the_first() -> None:
    """So what a worker sealed that was out of touch is not lost."""
    theirs = Sealer(OTHER, os.urandom).seal(b"theirs", bound_to=b"")
    both = Sealer(KEYS.merged(OTHER), os.urandom)
    assert both.open(theirs, bound_to=b"") == b"theirs"
    assert Sealer(KEYS, os.urandom).open(both.seal(b"ours", bound_to=b""), bound_to=b"") == b"ours"


def test_a_revoked_key_opens_nothing_any_more() -> None:
    """Not even what this very sealer sealed a moment ago, and had ready."""
    sealer = Sealer(KEYS, os.urandom)
    sealed = sealer.seal(b"session", bound_to=b"")
    older = Sealer(KEYS, os.urandom).seal(b"older", bound_to=b"")
    sealer.open(older, bound_to=b"")
    sealer.use(KEYS.renewed(SealingKey(b"n" * 32)))
    for gone in (sealed, older):
        with pytest.raises(OtherKeyError):
            sealer.open(gone, bound_to=b"")


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(1, 5))
def test_no_nonce_is_used_twice_under_one_key(writers: list[int], messages_max: int) -> None:
    """Over restarts and past a writer's limit: salt and nonce together never come again.

    Even with random bytes in the nonce that are always the same: the counter alone suffices.
    """
    salts = numbered()

    def random_bytes(size: int) -> bytes:
        return salts(size) if size == 16 else bytes(size)

    seen: set[bytes] = set()
    for messages in writers:
        sealer = Sealer(KEYS, random_bytes, messages_max=messages_max)
        sealed = [sealer.seal(b"same", bound_to=b"") for _ in range(messages)]
        fresh = {each[9:37] for each in sealed}
        assert len(fresh) == messages
        assert not fresh & seen
        seen |= fresh
        per_salt = [sum(each[9:25] == one[9:25] for each in sealed) for one in sealed]
        assert max(per_salt) <= messages_max
        assert all(sealer.open(each, bound_to=b"") == b"same" for each in sealed)


def test_copies_of_one_machine_do_not_repeat_each_others_nonces() -> None:
    """Both have the same salt and counter; the kernel's bytes in the nonce differ."""
    twins = [Sealer(KEYS, lambda size: bytes(size) if size == 16 else os.urandom(size)) for _ in range(2)]
    first, second = (twin.seal(b"session", bound_to=b"") for twin in twins)
    assert first[9:29] == second[9:29]
    assert first[29:37] != second[29:37]


@given(st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=50)), max_size=20), st.integers(1, 5))
def test_values_sealed_together_are_sealed_as_each_alone(
    values: list[tuple[bytes, bytes]], messages_max: int
) -> None:
    """Each opens where it belongs, with a nonce and random bytes of its own, over a writer's limit too."""
    sealer = Sealer(KEYS, os.urandom, messages_max=messages_max)
    sealed = sealer.seal_all(values)
    assert len({each[9:37] for each in sealed}) == len({each[29:37] for each in sealed}) == len(values)
    opened = [sealer.open(each, bound_to=place) for each, (_, place) in zip(sealed, values, strict=True)]
    assert opened == [plaintext for plaintext, _ in values]


def test_a_generator_that_fails_lets_nothing_be_sealed_with_a_nonce_that_comes_again() -> None:
    """The error goes through, and the next value is sealed as any other."""
    failing = iter([b"s" * 16, None, b"r" * 8, b"r" * 8])

    def random_bytes(_: int) -> bytes:
        given_out = next(failing)
        if given_out is None:
            raise OSError("no bytes")
        return given_out

    sealer = Sealer(KEYS, random_bytes)
    with pytest.raises(OSError, match="no bytes"):
        sealer.seal(b"session", bound_to=b"")
    nonces = {sealer.seal(b"session", bound_to=b"")[25:37] for _ in range(2)}
    assert len(nonces) == 2


@settings(max_examples=20)
@given(st.integers(60, 140))
def test_entries_of_many_older_writers_all_open_and_few_of_their_keys_are_kept(writers: int) -> None:
    """The keys kept ready are bounded; the others are derived again."""
    sealed = [Sealer(KEYS, os.urandom).seal(bytes([n]), bound_to=b"") for n in range(writers)]
    reader = Sealer(KEYS, os.urandom)
    for _ in range(2):
        assert [reader.open(each, bound_to=b"") for each in sealed] == [bytes([n]) for n in range(writers)]
    assert len(reader._readers) <= 64  # noqa: SLF001 - the bound is not to be seen from outside


def test_forged_salts_do_not_push_good_keys_out() -> None:
    """Only a value that opened makes a key worth keeping."""
    good = Sealer(KEYS, os.urandom).seal(b"good", bound_to=b"")
    reader = Sealer(KEYS, os.urandom)
    reader.open(good, bound_to=b"")
    for _ in range(100):
        with pytest.raises(TamperedError):
            reader.open(good[:9] + os.urandom(16) + good[25:], bound_to=b"")
    assert list(reader._readers) == [good[:25]]  # noqa: SLF001 - as above


def test_a_sealer_without_a_key_cannot_be_made() -> None:
    """Nothing is ever stored unsealed for want of one."""
    with pytest.raises(ValueError, match="needs a key"):
        Sealer(SealingKeys(), os.urandom)


@given(st.binary(min_size=32, max_size=32))
def test_a_sealers_repr_shows_no_key(secret: bytes) -> None:
    """It may stand in a log."""
    shown = repr(Sealer(SealingKeys(keys=(SealingKey(secret),)), os.urandom))
    assert shown == "<Sealer with 1 keys, 0 values sealed>"


def test_sealed_bytes_hold_nothing_of_what_was_sealed() -> None:
    """Nor of the key, in raw or hex form; and the same session is sealed differently each time."""
    session = b"master secret of a session" * 4
    sealer = Sealer(KEYS, os.urandom)
    first, second = (sealer.seal(session, bound_to=b"") for _ in range(2))
    assert first != second
    for start in range(len(session) - 7):
        assert session[start : start + 8] not in first
    assert KEY.secret[:8] not in first


@given(PLACES)
def test_what_a_session_is_bound_to_has_the_form_of_bound(
    place: tuple[CacheType, bytes, float, float],
) -> None:
    """Its kind, its cache, its id, its times: put together in a quicker way."""
    cache_type, cache_id, *times = place
    parts = b"session", cache_type.value.encode(), cache_id, struct.pack(">dd", *times)
    assert session_places(cache_type)(cache_id, *times) == bound(*parts)


def test_a_writer_that_began_anew_opens_only_what_it_sealed_since() -> None:
    """With the same key as well, and through every change of keys that follows."""
    sealer = Sealer(KEYS, os.urandom)
    before = sealer.seal(b"before", bound_to=b"")
    sealer.begin_anew()
    after = sealer.seal(b"after", bound_to=b"")
    with pytest.raises(OtherKeyError, match="revoked"):
        sealer.open(before, bound_to=b"")
    sealer.use(SealingKeys(keys=(SealingKey(b"n" * 32), *KEYS.keys)))
    assert sealer.open(after, bound_to=b"") == b"after"
    assert [sealer.wrote(each) for each in (before, after)] == [False, True]
    with pytest.raises(OtherKeyError, match="revoked"):
        sealer.open(before, bound_to=b"")
