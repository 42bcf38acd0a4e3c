"""What both protocols ask of the values in a request: known cache types, sizes and lengths.

Each function makes the request out of values as they came by either wire, or says in a
MalformedRequest which value is not acceptable. So a service sees good values only.
"""

import re
from typing import Final

from tlsmgr.messages import (
    SEED_SIZE_MAX,
    TICKET_KEY_NAME_SIZE,
    CacheType,
    DeleteRequest,
    LookupRequest,
    MalformedRequest,
    PolicyRequest,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)

_CACHE_TYPES: Final = {cache_type.value.encode(): cache_type for cache_type in CacheType}
_CACHE_TYPE_NAMES: Final = " or ".join(cache_type.value for cache_type in CacheType)

# Requests that differ in one of a few values are made once: this is the hot path.
_POLICY_REQUESTS: Final = {name: PolicyRequest(cache_type=found) for name, found in _CACHE_TYPES.items()}
_SEED_REQUESTS: Final = {size: SeedRequest(size=size) for size in range(1, SEED_SIZE_MAX + 1)}

# Every name in both protocols looks like this. A session, a key and a seed do not: they are
# longer, in base64 and in hexadecimal alike. So what is in the wrong place is not quoted.
_HARMLESS: Final = re.compile(rb"[a-z0-9_+-]{0,20}")


def describe(value: bytes) -> str:
    """Return ``value`` in quotes when it looks like a name or a number, else its length only.

    A value in the wrong place may be a secret, so a reason for a log never shows more.
    The result is printable ASCII of at most 30 characters.
    """
    if _HARMLESS.fullmatch(value):
        return f"'{value.decode('ascii')}'"
    return f"{len(value)} bytes"


def seed_request(size: int) -> SeedRequest | MalformedRequest:
    """Make the request for ``size`` random bytes, which must be 1 to 255."""
    request = _SEED_REQUESTS.get(size)
    if request is None:
        return MalformedRequest(verb=Verb.SEED, reason=f"size: expected 1 to {SEED_SIZE_MAX}, got {size}")
    return request


def policy_request(cache_type: bytes) -> PolicyRequest | MalformedRequest:
    """Make the request for a cache's policy."""
    return _POLICY_REQUESTS.get(cache_type) or _unknown_cache_type(Verb.POLICY, cache_type)


def lookup_request(cache_type: bytes, cache_id: bytes) -> LookupRequest | MalformedRequest:
    """Make the request for a session."""
    found = _CACHE_TYPES.get(cache_type)
    if found is None:
        return _unknown_cache_type(Verb.LOOKUP, cache_type)
    return LookupRequest(cache_type=found, cache_id=cache_id)


def update_request(cache_type: bytes, cache_id: bytes, session: bytes) -> UpdateRequest | MalformedRequest:
    """Make the request to save a session."""
    found = _CACHE_TYPES.get(cache_type)
    if found is None:
        return _unknown_cache_type(Verb.UPDATE, cache_type)
    return UpdateRequest(cache_type=found, cache_id=cache_id, session=session)


def delete_request(cache_type: bytes, cache_id: bytes) -> DeleteRequest | MalformedRequest:
    """Make the request to remove a session."""
    found = _CACHE_TYPES.get(cache_type)
    if found is None:
        return _unknown_cache_type(Verb.DELETE, cache_type)
    return DeleteRequest(cache_type=found, cache_id=cache_id)


def ticket_key_request(name: bytes) -> TicketKeyRequest | MalformedRequest:
    """Make the request for the key of that name, which must have 16 bytes or none."""
    if len(name) not in {0, TICKET_KEY_NAME_SIZE}:
        reason = f"keyname: expected 0 or {TICKET_KEY_NAME_SIZE} bytes, got {len(name)}"
        return MalformedRequest(verb=Verb.TICKET_KEY, reason=reason)
    return TicketKeyRequest(name=name)


def _unknown_cache_type(verb: Verb, cache_type: bytes) -> MalformedRequest:
    reason = f"cache_type: expected {_CACHE_TYPE_NAMES}, got {describe(cache_type)}"
    return MalformedRequest(verb=verb, reason=reason)
