from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from tlsmgr.farm.comparison import COMPARED_PARAMETERS, Obstacle, clock_obstacle, obstacles
from tlsmgr.farm.description import HeldKey, HostDescription

NAME, OTHER_NAME = "0" * 32, "1" * 32
PARAMETERS = MappingProxyType(dict.fromkeys(COMPARED_PARAMETERS, "as everywhere"))
HOST = HostDescription(
    host="mx1",
    described_at=1_800_000_000.0,
    tlsmgr="0.1.0",
    postfix="3.7.11",
    timeout=3600,
    key_source="ratchet",
    clock_skew=30,
    keys=(HeldKey(name=NAME, epoch=1_000_000), HeldKey(name=OTHER_NAME, epoch=1_000_001)),
    database="redis",
    store="redis://store.example.com/0",
    fingerprint="5ec2e7",
    services=("smtp", "submission"),
    openssl=0x30000110,
    parameters=PARAMETERS,
)


def found(**differs: Any) -> list[Obstacle]:  # noqa: ANN401 - any attribute of a description
    """Return what keeps ``HOST`` and another, who differs in this only, apart."""
    return obstacles(HOST, replace(HOST, host="mx2", **differs))


def test_two_hosts_alike_have_nothing_between_them() -> None:
    """Whatever they are called, and when they were asked."""
    assert found(described_at=0.0, tlsmgr="9") == []


@pytest.mark.parametrize(
    ("differs", "concerns", "text"),
    [
        ({"timeout": 7200}, "sessions", "smtpd_tls_session_cache_timeout: 3600s here, 7200s there"),
        ({"key_source": "local"}, "tickets", "tlsmgr_ticket_key_source: ratchet here, local there"),
        ({"key_source": "redis"}, "tickets", "tlsmgr_ticket_key_source: ratchet here, redis there"),
        ({"key_trouble": "no file"}, "tickets", "mx2 has no keys of the farm now: no file"),
        ({"keys": (HeldKey(name=OTHER_NAME, epoch=1_000_000),)}, "tickets", "key of epoch 1000000, and not"),
        ({"keys": (HeldKey(name=NAME, epoch=1_000_009),)}, "tickets", "1000000, 1000001 here, 1000009 there"),
        ({"fingerprint": "other"}, "sessions", "the farm's secrets are not the same"),
        ({"postfix": "3.12.0"}, "tickets", "3.7.11 here, 3.12.0 there"),
        ({"openssl": 0x30500000}, "session ids", "0x30000110 here, 0x30500000 there"),
        (
            {"parameters": {**PARAMETERS, "tls_session_ticket_cipher": "aes-128-cbc"}},
            "tickets",
            "tls_session_ticket_cipher: as everywhere here, aes-128-cbc there",
        ),
    ],
)
def test_what_keeps_sessions_apart_is_told(differs: dict[str, Any], concerns: str, text: str) -> None:
    """One difference, one obstacle, with what to do about it."""
    (obstacle,) = found(**differs)
    assert obstacle.concerns == concerns
    assert text in obstacle.text
    assert obstacle.advice
    assert obstacle.is_certain


@pytest.mark.parametrize(
    ("differs", "text"),
    [
        ({"database": "btree", "store": ""}, "is not shared: redis here, btree there"),
        ({"store": "redis://other.example.com/0"}, "the session stores have different addresses"),
        ({"services": ("smtp",)}, "master.cf of mx1 has submission, and that of mx2 has not"),
        ({"parameters": {**PARAMETERS, "smtpd_tls_protocols": ">=TLSv1.3"}}, "smtpd_tls_protocols: as"),
    ],
)
def test_what_may_keep_some_sessions_apart_is_told_as_such(differs: dict[str, Any], text: str) -> None:
    """It need not be mended where nobody misses anything."""
    (obstacle,) = found(**differs)
    assert text in obstacle.text
    assert not obstacle.is_certain


def test_hosts_that_make_their_own_keys_are_told_so() -> None:
    """As all hosts do without a farm, alike as they may be."""
    alone = replace(HOST, key_source="local", keys=(HeldKey(name=NAME),))
    (obstacle,) = obstacles(alone, alone)
    assert "each host makes its own ticket keys" in obstacle.text


def test_hosts_without_tickets_and_sessions_are_told_so() -> None:
    """There is nothing to be resumed."""
    without = replace(HOST, timeout=0, keys=())
    assert ["no session is kept" in each.text for each in obstacles(without, without)] == [True]


def test_what_is_not_known_is_no_obstacle() -> None:
    """A host without Postfix, or one that has not served a session yet."""
    assert found(postfix="", services=(), openssl=0, parameters=MappingProxyType({}), keys=()) == []


def test_a_service_of_postfix_3_12_is_part_of_tickets_too() -> None:
    """Before that only of session ids."""
    new = replace(HOST, postfix="3.12.1")
    (obstacle,) = obstacles(new, replace(new, services=("smtp",)))
    assert obstacle.concerns == "sessions"


@pytest.mark.parametrize(
    ("difference", "is_said"), [(30.0, False), (-30.0, False), (31.0, True), (-31.0, True)]
)
def test_clocks_that_differ_by_more_than_the_skew_are_an_obstacle(
    difference: float, *, is_said: bool
) -> None:
    """For keys of a farm; whoever makes its own goes by its own clock."""
    assert (clock_obstacle(HOST, difference) is not None) is is_said
    assert clock_obstacle(replace(HOST, key_source="local"), difference) is None
