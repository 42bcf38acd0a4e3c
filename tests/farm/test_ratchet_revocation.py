"""What a host's keys are after a revocation."""

import pytest

from tests.farm.ratchet_host import RULES, START, Host
from tests.farm.test_secret import secret
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.ratchet_host import RatchetHost, TroubleKind


def test_after_a_revocation_there_is_no_key_until_the_next_epoch_and_no_way_to_a_former_one() -> None:
    """The next one is of the same chain: the farm has to have another secret."""
    host = Host()
    ticket, following = host.encrypts_with(), host.table.keys[0].key.name
    host.revoke(host.now)
    assert host.table.keys == ()
    host.live(0)
    assert host.secret == secret(999).at(secret(999).ratchet.advanced(1001))
    assert host.encrypts_with() is None
    assert host.trouble_kind() is TroubleKind.NOT_YET
    assert not host.decrypts(ticket)
    host.live(30)
    assert host.encrypts_with() == following
    assert not host.decrypts(ticket)


def test_what_was_revoked_is_not_accepted_beside_another_secret() -> None:
    """Not even the next epoch's key, which was in the table already."""
    host = Host()
    names = [each.key.name for each in host.table.keys]
    host.revoke(host.now)
    host.live(0)
    host.take(secret(999, first=1))
    for _ in range(15):
        host.live(10)
        assert not any(host.decrypts(name) for name in names)
        assert host.encrypts_with() is not None


def test_what_is_read_only_after_a_revocation_is_revoked_too() -> None:
    """It is what was there before, for all that anybody knows."""
    host = RatchetHost()
    host.use(RULES)
    host.revoke(START)
    assert host.is_revoking
    host.take(secret(999))
    assert not host.work(START, 0.0)
    assert host.table.encryption_key(START) is None
    assert host.due(0.0) == secret(999).at(secret(999).ratchet.advanced(1001))


def test_a_former_state_of_what_was_revoked_brings_nothing_back() -> None:
    """As a host exports it that knows of no revocation."""
    host = Host()
    ticket = host.encrypts_with()
    host.revoke(host.now)
    host.live(0)
    host.take(secret(999))
    host.live(0)
    assert not host.decrypts(ticket)
    assert host.secret == secret(999).at(secret(999).ratchet.advanced(1001))


@pytest.mark.parametrize("rules", [None, EpochRules(epoch_seconds=30, skew=10), RULES])
def test_a_revocation_goes_by_the_epochs_of_the_secret(rules: EpochRules | None) -> None:
    """Whatever the timeout is: the file is moved past the present one of its own epochs, and no further."""
    host = Host()
    ticket = host.encrypts_with()
    host.use(rules)
    host.revoke(host.now)
    host.live(0)
    assert not host.is_revoking
    assert host.secret == secret(999).at(secret(999).ratchet.advanced(1001))
    host.use(RULES)
    host.live(0)
    assert not host.decrypts(ticket)
    host.live(30)
    assert host.encrypts_with() == secret(999).ratchet.advanced(1001).key_material()[:16]
