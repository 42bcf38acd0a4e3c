"""What a reply means to a program: a value, nothing, or an error."""

from dataclasses import dataclass

from tlsmgr.errors import ProtocolError, Status
from tlsmgr.messages import LookupReply, PolicyReply, Reply, SeedReply, StatusReply, TicketKeyReply


class RequestRefusedError(ProtocolError):
    """The server answered status -2: a malformed request, or a cache that is not enabled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachingPolicy:
    """Whether sessions of a cache may be saved, and how many seconds they live."""

    cachable: bool
    timeout: int


def is_done(reply: Reply) -> bool:
    """Return whether the status is OK, or False when it is NOT_DONE.

    Raises:
        RequestRefusedError: The status is FAILED.
    """
    if reply.status is Status.FAILED:
        raise RequestRefusedError("the server refused the request: malformed, or the cache is not enabled")
    return reply.status is Status.OK


def seed_of(reply: Reply) -> bytes:
    """Return the random bytes of a seed reply."""
    if not is_done(reply) or not isinstance(reply, SeedReply):
        raise ProtocolError("the server sent no seed")
    return reply.seed


def policy_of(reply: Reply) -> CachingPolicy:
    """Return the policy of a policy reply."""
    if not is_done(reply) or not isinstance(reply, PolicyReply):
        raise ProtocolError("the server sent no policy")
    return CachingPolicy(cachable=reply.cachable, timeout=reply.timeout)


def session_of(reply: Reply) -> bytes | None:
    """Return the session of a lookup reply, or None where none was found."""
    return reply.session if is_done(reply) and isinstance(reply, LookupReply) else None


def key_of(reply: Reply) -> bytes | None:
    """Return the 88 bytes of a ticket key reply, or None where there is no such key."""
    return reply.key_buffer if is_done(reply) and isinstance(reply, TicketKeyReply) else None


def success_of(reply: Reply) -> bool:
    """Return whether an update or a delete was carried out."""
    return is_done(reply) and isinstance(reply, StatusReply)
