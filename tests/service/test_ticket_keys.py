from tlsmgr.errors import Status
from tlsmgr.messages import TicketKeyRequest
from tlsmgr.service.ticket_keys import TicketKeys
from tlsmgr.tickets import KEY_MATERIAL_SIZE, TicketKey

CURRENT = TicketKeyRequest(name=b"")


class Source:
    """A clock that is told the time, and material that differs from key to key."""

    def __init__(self) -> None:
        self.now = 1000.9
        self.made = 0

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def material(self, size: int) -> bytes:
        """Return bytes that no other key has."""
        assert size == KEY_MATERIAL_SIZE
        self.made += 1
        return bytes([self.made]) * size


def _keys(timeout: int) -> tuple[TicketKeys, Source]:
    source = Source()
    keys = TicketKeys(source.clock, source.material)
    keys.timeout = timeout
    return keys, source


def test_a_key_encrypts_for_one_half_and_decrypts_for_another() -> None:
    """In seconds: 1800 and 1800 of a timeout of 3600."""
    keys, source = _keys(3600)
    first = TicketKey.unpack(keys.answer(CURRENT).key_buffer)
    by_name = TicketKeyRequest(name=first.name)
    assert first.encrypts_until == 1000 + 1800 - 1
    source.now = 1000 + 1798
    assert keys.answer(CURRENT).key_buffer == first.pack()
    source.now = 1000 + 1799
    assert keys.answer(CURRENT).key_buffer != first.pack()
    assert keys.answer(by_name).key_buffer == first.pack()
    source.now = 1000 + 3599
    assert keys.answer(by_name).status is Status.NOT_DONE
    assert source.made == 2


def test_there_are_no_tickets_with_a_timeout_of_0() -> None:
    """NOT_DONE without any key made, also for a key that there was before."""
    keys, source = _keys(0)
    reply = keys.answer(CURRENT)
    assert (reply.status, reply.key_buffer, source.made) == (Status.NOT_DONE, b"", 0)
    keys.timeout = 3600
    name = TicketKey.unpack(keys.answer(CURRENT).key_buffer).name
    keys.timeout = 0
    assert keys.answer(TicketKeyRequest(name=name)).status is Status.NOT_DONE


def test_an_unknown_name_is_not_done() -> None:
    """And makes no key; answers with one are counted."""
    keys, source = _keys(3600)
    assert keys.answer(TicketKeyRequest(name=b"n" * 16)).status is Status.NOT_DONE
    assert (source.made, keys.issued) == (0, 0)
    keys.answer(CURRENT)
    assert keys.issued == 1


def test_no_key_is_in_a_repr() -> None:
    """Neither in the reply's nor in the object's."""
    keys, _ = _keys(3600)
    reply = keys.answer(CURRENT)
    assert "x01" not in repr(reply) + repr(keys)
