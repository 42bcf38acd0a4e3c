"""What is asked in a measurement: the requests of each workload, in both protocols."""

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from tlsmgr.messages import (
    CacheType,
    LookupRequest,
    PolicyRequest,
    Request,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
)
from tlsmgr.wire import attribute_client, calls, rpc

#: How many sessions ``filling`` stores, and ``lookup`` asks for.
KEYS = 1000
_SEED_SIZE = 32
_SESSION_SIZE = 400
_UPDATES_PER_LOOKUPS = 9  # one update on so many lookups: 10 %

# The load generator puts an id that was never there in its place: a full handshake makes one.
_FRESH = b"@" * 16

Encoder: TypeAlias = Callable[[Request], bytes]


class Protocol(Enum):
    """The two protocols, by the load generator's names for them."""

    ATTRIBUTES = "attributes"
    RPC = "rpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Requests that are drawn from at random, and at how many connections that is measured."""

    name: str
    requests: tuple[Request, ...]
    connections: tuple[int, ...] = (1, 16)


def encoded(requests: Iterable[Request], protocol: Protocol) -> list[bytes]:
    """Return the requests as they travel."""
    encode: Encoder = _rpc_call if protocol is Protocol.RPC else attribute_client.encode_request
    return [encode(request) for request in requests]


def filling(keys: int = KEYS) -> tuple[Request, ...]:
    """Return the updates that store what ``lookup`` asks for."""
    return tuple(_update(_known_id(number), number) for number in range(keys))


def workloads() -> tuple[Workload, ...]:
    """Return all workloads, in the order of the report."""
    lookups = tuple(_lookup(_known_id(number)) for number in range(KEYS))
    updates = tuple(_update(_cache_id(_FRESH), number) for number in range(KEYS // _UPDATES_PER_LOOKUPS))
    return (
        Workload(name="policy", requests=(PolicyRequest(cache_type=CacheType.SMTPD),)),
        Workload(name="tktkey", requests=(TicketKeyRequest(name=b""),)),
        Workload(name="seed", requests=(SeedRequest(size=_SEED_SIZE),)),
        Workload(name="lookup", requests=lookups),
        Workload(name="update", requests=updates, connections=(1, 16, 64)),
        Workload(name="mixed", requests=lookups + updates),
    )


def _lookup(cache_id: bytes) -> Request:
    return LookupRequest(cache_type=CacheType.SMTPD, cache_id=cache_id)


def _update(cache_id: bytes, number: int) -> Request:
    session = random.Random(number).randbytes(_SESSION_SIZE)  # noqa: S311 - the same in every run
    return UpdateRequest(cache_type=CacheType.SMTPD, cache_id=cache_id, session=session)


def _known_id(number: int) -> bytes:
    return _cache_id(hashlib.sha256(str(number).encode()).hexdigest()[:16].upper().encode())


def _cache_id(start: bytes) -> bytes:
    """Return an id as smtpd makes it of 32 bytes, of which the first eight are given in hex."""
    return start + b"0" * 48 + b"&s=smtp&l=805306624"


def _rpc_call(request: Request) -> bytes:
    method, params = calls.call_of(request)
    return rpc.encode_call(0, method, params)
