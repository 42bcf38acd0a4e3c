import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.service.stores import SECRET, sealer
from tlsmgr.errors import Status
from tlsmgr.messages import TicketKeyRequest
from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.sealing.ticket_key_file import TicketKeyFile
from tlsmgr.service.ticket_keys import TicketKeys
from tlsmgr.tickets import KEY_MATERIAL_SIZE, TicketKey

CURRENT = TicketKeyRequest(name=b"")
Make: TypeAlias = Callable[..., tuple[TicketKeys, "Source"]]


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


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make what a process has, one start after the other, over one file."""
    made: list[TicketKeys] = []

    def make_keys(timeout: int = 3600, *, lease: int = 0) -> tuple[TicketKeys, Source]:
        source = Source()
        file = TicketKeyFile(tmp_path / "keys")
        keys = TicketKeys(source.clock, source.material, file, sealer())
        keys.timeout, keys.lease = timeout, lease
        made.append(keys)
        return keys, source

    yield make_keys
    for keys in made:
        keys.close()


def test_a_key_encrypts_for_one_half_and_decrypts_for_another(make: Make) -> None:
    """In seconds: 1800 and 1800 of a timeout of 3600."""
    keys, source = make()
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


def test_there_are_no_tickets_with_a_timeout_of_0(make: Make) -> None:
    """NOT_DONE without any key made, also for a key that there was before."""
    keys, source = make(0)
    reply = keys.answer(CURRENT)
    assert (reply.status, reply.key_buffer, source.made) == (Status.NOT_DONE, b"", 0)
    keys.timeout = 3600
    name = TicketKey.unpack(keys.answer(CURRENT).key_buffer).name
    keys.timeout = 0
    assert keys.answer(TicketKeyRequest(name=name)).status is Status.NOT_DONE


def test_an_unknown_name_is_not_done(make: Make) -> None:
    """And makes no key; answers with one are counted."""
    keys, source = make()
    assert keys.answer(TicketKeyRequest(name=b"n" * 16)).status is Status.NOT_DONE
    assert (source.made, keys.figures.issued) == (0, 0)
    keys.answer(CURRENT)
    assert keys.figures.issued == 1


def test_no_key_is_in_a_repr(make: Make) -> None:
    """Neither in the reply's nor in the object's."""
    keys, _ = make()
    reply = keys.answer(CURRENT)
    assert "x01" not in repr(reply) + repr(keys)


def test_a_restarted_process_goes_on_with_the_keys(make: Make) -> None:
    """Each was saved before it was given out; the file is for the owner alone."""
    first, _ = make()
    key_buffer = first.answer(CURRENT).key_buffer
    again, source = make()
    assert again.answer(CURRENT).key_buffer == key_buffer
    assert source.made == 0


def test_a_lease_shortens_what_is_told_and_not_what_is_kept(make: Make) -> None:
    """The key is the same one, and decrypts for as long as before."""
    keys, source = make(lease=60)
    first = TicketKey.unpack(keys.answer(CURRENT).key_buffer)
    assert first.encrypts_until == 1000 + 60
    source.now += 61
    second = TicketKey.unpack(keys.answer(CURRENT).key_buffer)
    assert (second.name, second.encrypts_until) == (first.name, 1000 + 61 + 60)
    assert source.made == 1


def test_a_revocation_leaves_no_key_to_a_restarted_process(make: Make) -> None:
    """Neither in memory nor in the file; it tells how long smtpd may take old tickets."""
    keys, _ = make()
    old = TicketKey.unpack(keys.answer(CURRENT).key_buffer)
    assert keys.revoke() == (3600 + 1800 - 1, "")
    by_name = TicketKeyRequest(name=old.name)
    assert keys.answer(by_name).status is Status.NOT_DONE
    again, source = make()
    assert again.answer(by_name).status is Status.NOT_DONE
    again.answer(CURRENT)
    assert source.made == 1


def test_a_revocation_removes_a_file_that_it_cannot_replace(make: Make, tmp_path: Path) -> None:
    """So the keys do not come back from a disk that takes nothing."""
    keys, _ = make()
    keys.answer(CURRENT)
    (tmp_path / "keys.new").mkdir()
    assert keys.revoke()[1] == ""
    assert not (tmp_path / "keys").exists()


def test_a_revocation_tells_why_keys_may_come_back(make: Make, tmp_path: Path) -> None:
    """When the file can be neither replaced nor removed."""
    keys, _ = make()
    (tmp_path / "keys").mkdir()
    assert "cannot remove ticket key file" in keys.revoke()[1]


def test_a_file_that_was_changed_is_an_alarm(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted and logged; new keys are begun with."""
    make()[0].answer(CURRENT)
    path = tmp_path / "keys"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    keys, source = make()
    assert keys.answer(CURRENT).status is Status.OK
    assert (source.made, keys.figures.tampered) == (1, 1)
    assert "tampered" in caplog.text


def test_keys_whose_sealing_key_comes_late_decrypt_then(tmp_path: Path) -> None:
    """What was given out meanwhile encrypts on; after a restart both are there."""
    source = Source()
    file = TicketKeyFile(tmp_path / "keys")
    keys = TicketKeys(source.clock, source.material, file, sealer())
    keys.timeout = 3600
    first = TicketKey.unpack(keys.answer(CURRENT).key_buffer)
    keys.close()
    own = SealingKeys(keys=(SealingKey(b"n" * 32),))
    late = Sealer(own, os.urandom)
    keys = TicketKeys(source.clock, source.material, file, late)
    keys.timeout = 3600
    second = keys.answer(CURRENT).key_buffer
    assert second != first.pack()
    late.use(own.merged(SealingKeys(keys=(SealingKey(SECRET),))))
    assert keys.answer(TicketKeyRequest(name=first.name)).key_buffer == first.pack()
    assert keys.answer(CURRENT).key_buffer == second
    keys.close()
    keys = TicketKeys(source.clock, source.material, file, late)
    keys.timeout = 3600
    assert keys.answer(TicketKeyRequest(name=first.name)).key_buffer == first.pack()
    assert keys.answer(CURRENT).key_buffer == second
    keys.close()


def test_keys_that_cannot_be_saved_are_given_out_all_the_same(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that a restart will begin anew."""
    (tmp_path / "keys").mkdir()
    keys, _ = make()
    assert keys.answer(CURRENT).status is Status.OK
    assert "a restart will begin with new ticket keys" in caplog.text


def test_requests_are_counted_by_the_key_that_they_ask_for(make: Make) -> None:
    """A key that was replaced is the previous one; what there is not, is unknown."""
    keys, _ = make()
    name = TicketKey.unpack(keys.answer(CURRENT).key_buffer).name
    keys.answer(TicketKeyRequest(name=name))
    keys.rotate()
    keys.answer(TicketKeyRequest(name=name))
    keys.answer(TicketKeyRequest(name=b"n" * 16))
    keys.answer(CURRENT)
    assert keys.figures.as_map() == {
        "issued": 2,
        "made": 2,
        "tampered": 0,
        "requests": {"issued": 2, "current": 1, "previous": 1, "next": 0, "unknown": 1},
        "issued_by_source": {"local": 2, "farm": 0},
    }
