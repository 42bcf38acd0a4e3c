"""What is told of ticket keys."""

from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.service.former_keys import Departure, FormerKeys
from tlsmgr.service.ticket_key_report import describe_keys, explain_key
from tlsmgr.tickets import KEY_MATERIAL_SIZE, TicketKey, TicketKeyRing

_TIMEOUT = 1000


def _key(number: int, encrypts_until: int) -> TicketKey:
    return TicketKey.from_material(bytes([number]) * KEY_MATERIAL_SIZE, encrypts_until=encrypts_until)


_TIMES = st.integers(0, 5000)
_RINGS = st.builds(
    TicketKeyRing,
    current=st.none() | _TIMES.map(lambda until: _key(1, until)),
    previous=st.none() | _TIMES.map(lambda until: _key(2, until)),
)


@given(_RINGS, _TIMES, st.sampled_from([0, 120, _TIMEOUT]), st.integers(0, 3))
def test_what_is_explained_is_what_is_given_out(
    ring: TicketKeyRing, now: int, timeout: int, number: int
) -> None:
    """A key is said to decrypt if and only if a client that asks for it gets it."""
    name = bytes([number]) * 16

    told = explain_key(name, ring, FormerKeys(), now=now, timeout=timeout)

    assert told["decrypts"] is (ring.find(name, now=now, timeout=timeout) is not None)


@given(_RINGS, _TIMES)
def test_a_description_has_no_secret(ring: TicketKeyRing, now: int) -> None:
    """Name, state and times are all of it."""
    for described in describe_keys(ring, now=now, timeout=_TIMEOUT):
        assert described.keys() == {"name", "state", "encrypts_until", "decrypts_until"}


def test_reasons() -> None:
    """Each has a word of its own."""
    ring = TicketKeyRing(current=_key(1, 1500), previous=_key(2, 900))

    def reason(number: int, *, now: int = 1200, timeout: int = _TIMEOUT) -> object:
        return explain_key(bytes([number]) * 16, ring, FormerKeys(), now=now, timeout=timeout)["reason"]

    assert reason(1) == "current"
    assert reason(2) == "previous"
    assert reason(1, now=1600) == "previous"
    assert reason(2, now=1400) == "over"
    assert reason(1, now=100) == "outlives"
    assert reason(1, timeout=0) == "disabled"
    assert reason(3, timeout=0) == "disabled"
    assert reason(3) == "unknown"


def test_keys_that_left_are_remembered_with_the_reason() -> None:
    """Until too many left after them."""
    former = FormerKeys()
    before = TicketKeyRing(current=_key(1, 1500), previous=_key(2, 900))
    former.note(before, TicketKeyRing(current=_key(3, 2000), previous=_key(1, 1500)), Departure.REPLACED, 7)
    former.note(TicketKeyRing(current=_key(3, 2000)), TicketKeyRing(), Departure.REVOKED, 8)

    told = [
        explain_key(bytes([number]) * 16, TicketKeyRing(), former, now=9, timeout=_TIMEOUT)
        for number in (1, 2, 3)
    ]

    assert [each["reason"] for each in told] == ["unknown", "replaced", "revoked"]
    assert [each.get("left_at") for each in told] == [None, 7, 8]
    for number in range(10, 74):
        former.note(TicketKeyRing(current=_key(number, 1)), TicketKeyRing(), Departure.REVOKED, 9)
    assert former.find(bytes([3]) * 16) is None
    assert former.find(bytes([73]) * 16) is not None
