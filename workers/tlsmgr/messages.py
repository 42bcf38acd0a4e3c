"""The vocabulary: what a client can ask, and what it is answered.

Both wire protocols speak in these values. They are frozen, compare by value, and
hide secrets (sessions, seeds, keys) from their repr.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from tlsmgr.errors import Status

SEED_SIZE_MAX = 255
TICKET_KEY_NAME_SIZE = 16


class CacheType(Enum):
    """The session caches, by the name that the Postfix protocol gives them."""

    SMTPD = "smtpd"
    SMTP = "smtp"
    LMTP = "lmtp"

    # Members are compared by identity already; Enum's own is a function in Python, on the hot path.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRequest:
    """Ask for ``size`` random bytes. A size outside 1..255 is answered with FAILED."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRequest:
    """Ask whether sessions of this cache may be saved, and for how many seconds."""

    cache_type: CacheType


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupRequest:
    """Ask for the session saved under ``cache_id``, which may be empty."""

    cache_type: CacheType
    cache_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRequest:
    """Save ``session``, which may be empty, under ``cache_id``, replacing a former one."""

    cache_type: CacheType
    cache_id: bytes
    session: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRequest:
    """Remove the session saved under ``cache_id``."""

    cache_type: CacheType
    cache_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketKeyRequest:
    """Ask for the ticket key called ``name``, or, with an empty name, the one to encrypt with."""

    name: bytes


class Verb(Enum):
    """The six requests, by the name that both protocols give them."""

    SEED = "seed"
    POLICY = "policy"
    LOOKUP = "lookup"
    UPDATE = "update"
    DELETE = "delete"
    TICKET_KEY = "tktkey"


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedRequest:
    """A request that cannot be served; ``reason`` says why, and quotes no secret.

    ``verb`` tells the shape of the reply; it is None for an unknown request, whose
    reply has the status only.
    """

    verb: Verb | None
    reason: str


Request: TypeAlias = (
    SeedRequest
    | PolicyRequest
    | LookupRequest
    | UpdateRequest
    | DeleteRequest
    | TicketKeyRequest
    | MalformedRequest
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReply:
    """The random bytes asked for; empty unless the status is OK."""

    status: Status
    seed: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReply:
    """Whether sessions may be saved, and the cache's timeout in seconds."""

    status: Status
    cachable: bool = False
    timeout: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupReply:
    """The session asked for; empty unless the status is OK."""

    status: Status
    session: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReply:
    """The answer to an update, a delete, or a request that nobody knows."""

    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketKeyReply:
    """The ticket key as the C structure that Postfix expects; empty unless the status is OK."""

    status: Status
    key_buffer: bytes = field(default=b"", repr=False)


Reply: TypeAlias = SeedReply | PolicyReply | LookupReply | StatusReply | TicketKeyReply

_FAILURES: dict[Verb | None, Reply] = {
    Verb.SEED: SeedReply(status=Status.FAILED),
    Verb.POLICY: PolicyReply(status=Status.FAILED),
    Verb.LOOKUP: LookupReply(status=Status.FAILED),
    Verb.UPDATE: StatusReply(status=Status.FAILED),
    Verb.DELETE: StatusReply(status=Status.FAILED),
    Verb.TICKET_KEY: TicketKeyReply(status=Status.FAILED),
    None: StatusReply(status=Status.FAILED),
}


def failure(verb: Verb | None) -> Reply:
    """Return the reply with status FAILED that has the shape of ``verb``'s good reply."""
    return _FAILURES[verb]
