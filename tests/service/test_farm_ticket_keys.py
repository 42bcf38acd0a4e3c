"""Ticket keys that other hosts have too, asked before this host's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm.test_key_table import key
from tests.service.stores import sealer
from tests.test_ticket_leases import Smtpd
from tlsmgr.config.settings import Settings
from tlsmgr.errors import Status
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKey, KeyTable
from tlsmgr.messages import TicketKeyRequest
from tlsmgr.sealing.ticket_key_file import TicketKeyFile
from tlsmgr.service.farm_keys import FALLBACK_LEASE, LOCAL, FarmRevocation
from tlsmgr.service.ticket_keys import TicketKeys, rotation_mark
from tlsmgr.tickets import KEY_MATERIAL_SIZE, TicketKey

_TIMEOUT = 120
_NOW = 60 * 1000 + 30
_RULES = EpochRules(epoch_seconds=60, skew=10)


class Source:
    """A source that has the keys that it is told to have."""

    name = "ratchet"

    def __init__(self) -> None:
        self.table = KeyTable(rules=_RULES)
        self.absent: list[bytes] = []
        self.names = {b"e" * 16: 1007}

    def use(self, settings: Settings) -> None:
        """Do nothing: the tests change the table."""

    async def start(self) -> None:
        """Have the keys from the beginning."""

    async def close(self) -> None:
        """Leave them there."""

    def enter_jail(self, root: Path) -> None:
        """Need no path."""

    async def revoke(self) -> FarmRevocation:
        """Have no key any more."""
        self.table = KeyTable(rules=_RULES)
        return FarmRevocation(advice="tell the others")

    def epoch_of(self, name: bytes) -> int | None:
        """Know one name."""
        return self.names.get(name)

    def missed(self, name: bytes) -> None:
        """Remember it."""
        self.absent.append(name)

    def figures(self) -> dict[str, object]:
        """Count nothing."""
        return {}


class Farm:
    """Ticket keys with a source, at a time that the tests set."""

    def __init__(self, path: Path) -> None:
        self.now = float(_NOW)
        self.source = Source()
        file = TicketKeyFile(path / "keys")
        self.keys = TicketKeys(lambda: self.now, lambda size: b"l" * size, file, sealer())
        self.keys.timeout, self.keys.farm = _TIMEOUT, self.source
        self.timeout = _TIMEOUT

    def has(self, *epochs: int) -> None:
        """Give the source the keys of these epochs."""
        self.source.table = KeyTable(rules=_RULES)
        for epoch in epochs:
            self.source.table = self.source.table.with_key(key(epoch))

    def answer(self, name: bytes, now: int) -> TicketKey | None:
        """Answer an smtpd."""
        self.now = float(now)
        reply = self.keys.answer(TicketKeyRequest(name=name))
        return TicketKey.unpack(reply.key_buffer) if reply.status is Status.OK else None


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """Give a farm without a key."""
    made = Farm(tmp_path)
    yield made
    made.keys.close()


def test_the_key_of_the_epoch_is_given_out_until_its_end(farm: Farm) -> None:
    """And this host makes none of its own."""
    farm.has(999, 1000, 1001)
    assert farm.answer(b"", _NOW) == key(1000).key
    assert farm.answer(b"", 60 * 1001 - 1) == key(1000).key
    assert farm.answer(b"", 60 * 1001) == key(1001).key
    assert farm.keys.figures.made == 0
    assert farm.keys.figures.as_map()["issued_by_source"] == {"local": 0, "farm": 3}


def test_no_key_is_given_out_without_tickets(farm: Farm) -> None:
    """A timeout of 0 is for the farm too."""
    farm.has(1000)
    farm.keys.timeout = 0
    assert farm.answer(b"", _NOW) is None
    assert farm.answer(key(1000).key.name, _NOW) is None


def test_without_a_farm_key_this_hosts_own_is_lent_for_a_minute(farm: Farm) -> None:
    """So that smtpd is back with the farm's soon; tickets made meanwhile go on to be decrypted."""
    own = farm.answer(b"", _NOW)
    assert own is not None
    assert own.name == b"l" * 16
    assert own.encrypts_until == min(_NOW + FALLBACK_LEASE, _NOW + _TIMEOUT // 2 - 1)
    farm.has(1000)
    assert farm.answer(b"", _NOW) == key(1000).key
    asked = farm.answer(own.name, _NOW + 1)
    assert asked is not None
    assert asked.encrypts_until == _NOW + 1


def test_a_key_in_the_table_that_no_other_host_has_is_lent_for_a_minute_too(farm: Farm) -> None:
    """By its name as well, and it counts as this host's own."""
    rules = EpochRules(epoch_seconds=3600, skew=10)
    material = bytes(range(KEY_MATERIAL_SIZE))
    own = FarmKey.from_material(material, epoch=rules.epoch_at(_NOW), rules=rules, source=LOCAL)
    farm.source.table = KeyTable(rules=rules).with_key(own)
    for name in (b"", own.key.name):
        given = farm.answer(name, _NOW)
        assert given is not None
        assert given.name == own.key.name
        assert given.encrypts_until == _NOW + FALLBACK_LEASE
    assert farm.keys.figures.as_map()["issued_by_source"] == {"local": 1, "farm": 0}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("epoch", [999, 1000, 1001])
def test_an_smtpd_encrypts_with_the_key_of_the_epoch_whatever_else_it_asked_for(
    farm: Farm, epoch: int, *, first: bool
) -> None:
    """In the last seconds before an epoch, tickets of hosts whose clocks are ahead come already."""
    farm.has(999, 1000, 1001)
    now = 60 * 1001 - 5
    smtpd = Smtpd(farm)
    if first:
        smtpd.encrypts_with(now)
    assert smtpd.accepts(key(epoch).key.name, now)
    assert smtpd.encrypts_with(now) == key(1000).key.name


def test_a_name_that_nobody_knows_is_told_to_the_source(farm: Farm) -> None:
    """It may be a reason to look whether the others have newer keys, or other clocks."""
    farm.has(1000)
    assert farm.answer(b"n" * 16, _NOW) is None
    assert farm.source.absent == [b"n" * 16]
    assert farm.keys.figures.unknown == 1


def test_requests_are_counted_by_the_epoch_of_their_key(farm: Farm) -> None:
    """As with this host's own keys, and the next one beside them."""
    farm.has(999, 1000, 1001)
    for epoch in (999, 1000, 1000, 1001):
        farm.answer(key(epoch).key.name, 60 * 1001 - 5)
    figures = farm.keys.figures
    assert (figures.previous, figures.current, figures.next, figures.unknown) == (1, 2, 1, 0)


def test_what_is_told_of_the_keys_has_their_epochs_and_no_secret(farm: Farm) -> None:
    """This host's own follow."""
    farm.answer(b"", _NOW)
    farm.has(1000, 1001)
    told = farm.keys.describe()
    assert [(each["state"], each.get("epoch"), each.get("source")) for each in told] == [
        ("next", 1001, "ratchet"),
        ("current", 1000, "ratchet"),
        ("current", None, None),
    ]
    assert told[1]["encrypts_until"] == 60 * 1001
    assert told[1]["decrypts_until"] == 60 * 1002 + 10
    assert {part for each in told for part in each} == {
        *("name", "state", "epoch", "source", "encrypts_until", "decrypts_until"),
    }


def test_a_key_is_explained_by_its_epoch(farm: Farm) -> None:
    """Also one that is not here, where the source knows its name; and this host's own as ever."""
    farm.has(999, 1000, 1001)

    def explained(name: bytes) -> tuple[object, ...]:
        told = farm.keys.explain(name)
        return told["decrypts"], told["reason"], told.get("epochs_ahead")

    assert explained(key(1000).key.name) == (True, "current", 0)
    assert explained(key(999).key.name) == (True, "previous", -1)
    assert explained(key(1001).key.name) == (False, "next", 1)
    farm.now = 60.0 * 1001 - 5
    assert explained(key(1001).key.name) == (True, "next", 1)
    assert explained(b"e" * 16) == (False, "other_epoch", 7)
    assert explained(b"n" * 16) == (False, "unknown", None)


def test_a_rotation_by_hand_is_refused_with_the_reason(
    farm: Farm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others would not know of it."""
    told = farm.keys.rotate()
    assert told["status"] == Status.NOT_DONE
    assert "rotate by themselves, each 60 s" in str(told["reason"])
    rotation_mark(tmp_path).touch()
    farm.keys.rotate_if_told(rotation_mark(tmp_path))
    assert "rotate by themselves" in caplog.text
    assert farm.keys.figures.made == 0


def test_a_lease_holds_for_the_farms_keys(farm: Farm) -> None:
    """As for any other."""
    farm.has(1000)
    farm.keys.lease = 10
    given_out = farm.answer(b"", _NOW)
    assert given_out is not None
    assert given_out.encrypts_until == _NOW + 10
