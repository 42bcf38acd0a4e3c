"""What must hold whatever is broken: who asks is answered in time, and never wrongly."""

import time
from collections.abc import Iterable
from pathlib import Path

from rehearsal.attribute_client import AttributeClient
from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tlsmgr.errors import Status
from tlsmgr.messages import (
    CacheType,
    LookupReply,
    LookupRequest,
    PolicyReply,
    PolicyRequest,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    TicketKeyReply,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)

#: The promise is 0.5 s, and for an update 1.5 s; here the machine may be busy with anything.
PROMPT_SECONDS = 2.0
UPDATE_SECONDS = 4.0
#: A store is tried again after 5 s at the latest.
RECOVERY_SECONDS = 20.0


def store_directory(sandbox: Sandbox, cache_type: CacheType = CacheType.SMTPD) -> Path:
    """Return where a cache's sessions are."""
    return sandbox.data / f"{cache_type.value}_scache"


def session_of(cache_id: bytes) -> bytes:
    """Return the only session that is ever saved under an id."""
    return b"<session of %b>" % cache_id * 20


def ask(sandbox: Sandbox, request: Request, verb: Verb, *, within: float = PROMPT_SECONDS) -> Reply:
    """Ask as smtpd does, over a new connection; the reply must come within so many seconds."""
    with AttributeClient(sandbox.postfix_socket) as client:
        started = time.monotonic()
        reply = client.ask(request, verb)
        took = time.monotonic() - started
    assert took < within, f"{verb}: {took:.2f} s"
    return reply


def save(sandbox: Sandbox, cache_id: bytes, cache_type: CacheType = CacheType.SMTPD) -> bool:
    """Save the id's session; return whether it was."""
    request = UpdateRequest(cache_type=cache_type, cache_id=cache_id, session=session_of(cache_id))
    status = ask(sandbox, request, Verb.UPDATE, within=UPDATE_SECONDS).status
    assert status in (Status.OK, Status.NOT_DONE)
    return status is Status.OK


def is_found(sandbox: Sandbox, cache_id: bytes, cache_type: CacheType = CacheType.SMTPD) -> bool:
    """Return whether the id's session is found; another one, or a part of it, is a failure."""
    reply = ask(sandbox, LookupRequest(cache_type=cache_type, cache_id=cache_id), Verb.LOOKUP)
    assert isinstance(reply, LookupReply)
    assert reply.status in (Status.OK, Status.NOT_DONE)
    if reply.status is Status.OK:
        assert reply.session == session_of(cache_id)
    return reply.status is Status.OK


def found(sandbox: Sandbox, cache_ids: Iterable[bytes]) -> list[bytes]:
    """Return those of the ids whose sessions are found."""
    return [cache_id for cache_id in cache_ids if is_found(sandbox, cache_id)]


def check_what_is_always_answered(sandbox: Sandbox) -> None:
    """See that policy, ticket keys and seeds are answered as if nothing were broken."""
    policy = ask(sandbox, PolicyRequest(cache_type=CacheType.SMTPD), Verb.POLICY)
    assert isinstance(policy, PolicyReply)
    assert (policy.status, policy.cachable) == (Status.OK, True)
    key = ask(sandbox, TicketKeyRequest(name=b""), Verb.TICKET_KEY)
    assert isinstance(key, TicketKeyReply)
    assert (key.status, len(key.key_buffer)) == (Status.OK, 88)
    seed = ask(sandbox, SeedRequest(size=32), Verb.SEED)
    assert isinstance(seed, SeedReply)
    assert (seed.status, len(seed.seed)) == (Status.OK, 32)


def check_recovery(sandbox: Sandbox, worker: RunningWorker) -> None:
    """Wait until sessions are saved again, with nobody's help."""
    wait_for(
        "recovery",
        lambda: save(sandbox, b"after"),
        seconds=RECOVERY_SECONDS,
        evidence=lambda: worker.log,
    )
    assert is_found(sandbox, b"after")
    check_what_is_always_answered(sandbox)


def check_logged_once(worker: RunningWorker, *words: str) -> None:
    """See that one line in the log, and no more, has all these words."""
    lines = [line for line in worker.log.splitlines() if all(word in line for word in words)]
    assert len(lines) == 1, worker.log
