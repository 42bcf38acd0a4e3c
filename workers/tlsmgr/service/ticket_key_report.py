"""What there is to know of ticket keys without their secrets: which there are, which there were, and why."""

from collections.abc import Mapping
from enum import StrEnum

from tlsmgr.service.former_keys import FormerKeys
from tlsmgr.tickets import TicketKey, TicketKeyRing


class KeyState(StrEnum):
    """What a key in the ring is good for."""

    CURRENT = "current"  #: new tickets are encrypted with it
    PREVIOUS = "previous"  #: tickets that were encrypted with it are decrypted
    OVER = "over"  #: its time is over, or it was made for a longer timeout: it is not given out


def describe_keys(ring: TicketKeyRing, *, now: int, timeout: int) -> list[Mapping[str, object]]:
    """Return name, state and times (seconds since 1970) of each key, the current one first."""
    return [
        {
            "name": key.name,
            "state": str(_state(ring, key, now, timeout)),
            "encrypts_until": key.encrypts_until,
            "decrypts_until": key.encrypts_until + max(0, timeout) // 2,
        }
        for key in (ring.current, ring.previous)
        if key is not None
    ]


def explain_key(
    name: bytes, ring: TicketKeyRing, former: FormerKeys, *, now: int, timeout: int
) -> Mapping[str, object]:
    """Return why a ticket under a key's name can or cannot be decrypted with the keys of this server.

    Returns:
        ``decrypts``, and as ``reason`` a ``KeyState``, a ``Departure``, ``outlives`` (made for a
        longer timeout, or before the clock was set back), ``disabled`` (there are no tickets) or
        ``unknown``; with the key's times, or ``left_at``, where there are such.
    """
    for described in describe_keys(ring, now=now, timeout=timeout):
        if described["name"] == name:
            return {**described, **_verdict(name, ring, str(described["state"]), now, timeout)}
    if timeout <= 0:
        return {"decrypts": False, "reason": "disabled"}
    gone = former.find(name)
    if gone is not None:
        return {"decrypts": False, "reason": str(gone.why), "left_at": gone.left_at}
    return {"decrypts": False, "reason": "unknown"}


def _verdict(name: bytes, ring: TicketKeyRing, state: str, now: int, timeout: int) -> Mapping[str, object]:
    key = ring.find(name, now=now, timeout=timeout)
    if key is not None:
        return {"decrypts": True, "reason": state}
    if timeout <= 0:
        return {"decrypts": False, "reason": "disabled"}
    outlives = any(
        key.outlives(now, timeout) for key in (ring.current, ring.previous) if key and key.name == name
    )
    return {"decrypts": False, "reason": "outlives" if outlives else str(KeyState.OVER)}


def _state(ring: TicketKeyRing, key: TicketKey, now: int, timeout: int) -> KeyState:
    if ring.find(key.name, now=now, timeout=timeout) is None:
        return KeyState.OVER
    return KeyState.CURRENT if key is ring.current and key.encrypts_until > now else KeyState.PREVIOUS
