"""What is asked in a measurement: the requests of each workload, in both protocols."""

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

#: How many sessions a cache has, in the lookups of which all fit into memory and in the others.
FEW_KEYS, MANY_KEYS = 1000, 1_000_000
#: How many sessions fill a cache up that is measured at its limit: many, so that the cache beside it,
#: which has no limit, is not much larger in the end.
LIMITED_KEYS = 200_000
_SEED_SIZE = 32
_SESSION_SIZE = 400
_LOOKUPS, _UPDATES = 9, 1  # in ten requests that are mixed

# The load generator puts one of the ids that there are in the place of the first, and in that
# of the second one that was never there: a full handshake makes such.
_KNOWN = b"#" * 16
_FRESH = b"@" * 16

Encoder: TypeAlias = Callable[[Request], bytes]


class Protocol(Enum):
    """The two protocols, by the load generator's names for them."""

    ATTRIBUTES = "attributes"
    RPC = "rpc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Requests that are drawn from at random, and at how many connections that is measured.

    Attributes:
        name: What the report calls it.
        requests: They may be templates: see the load generator.
        connections: Each number is a line of the report.
        scattered: Whether it is measured with one connection in all placements.
    """

    name: str
    requests: tuple[Request, ...]
    connections: tuple[int, ...] = (1, 16)
    scattered: bool = False


def encoded(requests: Iterable[Request], protocol: Protocol) -> list[bytes]:
    """Return the requests as they travel."""
    encode: Encoder = _rpc_call if protocol is Protocol.RPC else attribute_client.encode_request
    return [encode(request) for request in requests]


def filling() -> Request:
    """Return the update that stores what lookups ask for, a template."""
    return _update(_KNOWN)


def workloads() -> tuple[Workload, ...]:
    """Return all workloads of a server with FEW_KEYS sessions, in the order of the report."""
    lookup = LookupRequest(cache_type=CacheType.SMTPD, cache_id=_cache_id(_KNOWN))
    update = _update(_FRESH)
    return (
        Workload(name="policy", requests=(PolicyRequest(cache_type=CacheType.SMTPD),), scattered=True),
        Workload(name="tktkey", requests=(TicketKeyRequest(name=b""),)),
        Workload(name="seed", requests=(SeedRequest(size=_SEED_SIZE),)),
        Workload(name="lookup", requests=(lookup,), scattered=True),
        Workload(name="update", requests=(update,), connections=(1, 16, 64), scattered=True),
        Workload(name="mixed", requests=(lookup,) * _LOOKUPS + (update,) * _UPDATES),
    )


def shared_lookup() -> Workload:
    """Return the workload of a server that shares its sessions: it finds all of them at home."""
    lookup = next(workload for workload in workloads() if workload.name == "lookup")
    return Workload(name="lookup, shared", requests=lookup.requests)


def limited_update() -> Workload:
    """Return the workload of a cache that is full: a session goes for each new one."""
    return Workload(name="update, at a limit", requests=(_update(_FRESH),), connections=(16, 64))


def million() -> Workload:
    """Return the workload of a server with MANY_KEYS sessions."""
    lookup = next(workload for workload in workloads() if workload.name == "lookup")
    return Workload(name="million", requests=lookup.requests)


def _update(start: bytes) -> Request:
    session = random.Random(1).randbytes(_SESSION_SIZE)  # noqa: S311 - the same in every run
    return UpdateRequest(cache_type=CacheType.SMTPD, cache_id=_cache_id(start), session=session)


def _cache_id(start: bytes) -> bytes:
    """Return an id as smtpd makes it of 32 bytes, of which the first eight are given in hex."""
    return start + b"0" * 48 + b"&s=smtp&l=805306624"


def _rpc_call(request: Request) -> bytes:
    method, params = calls.call_of(request)
    return rpc.encode_call(0, method, params)
