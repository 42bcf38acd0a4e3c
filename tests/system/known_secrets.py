"""A load whose secrets are known: what no file may hold."""

import secrets

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from tlsmgr.errors import Status
from tlsmgr.messages import (
    CacheType,
    LookupReply,
    LookupRequest,
    SeedReply,
    SeedRequest,
    UpdateRequest,
    Verb,
)

_SESSIONS = 40


def use(sandbox: Sandbox) -> dict[str, bytes]:
    """Save and look sessions up over both protocols, take seeds and keys; return all of them by name."""
    known: dict[str, bytes] = {}
    with AttributeClient(sandbox.postfix_socket) as postfix, sandbox.client() as client:
        for number in range(_SESSIONS):
            cache_type = list(CacheType)[number % len(CacheType)]
            session, cache_id = secrets.token_bytes(100 + number), b"id %d" % number
            known[f"session {number}"] = session
            request = UpdateRequest(cache_type=cache_type, cache_id=cache_id, session=session)
            assert postfix.ask(request, Verb.UPDATE).status is Status.OK
            assert client.lookup(cache_type, cache_id) == session
            reply = postfix.ask(LookupRequest(cache_type=cache_type, cache_id=cache_id), Verb.LOOKUP)
            assert isinstance(reply, LookupReply)
            seed = postfix.ask(SeedRequest(size=64), Verb.SEED)
            assert isinstance(seed, SeedReply)
            known[f"seed {number}"] = seed.seed
        key = client.ticket_key()
        assert key is not None
        # Its name is no secret, and its end, the time, is not random.
        known |= {"ticket key, to encrypt": key[16:48], "ticket key, to sign": key[48:80]}
    with sandbox.client("prng-server") as prng:
        known["seed of the PRNG server"] = prng.seed(255)
    return known
