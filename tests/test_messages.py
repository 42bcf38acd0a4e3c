from dataclasses import FrozenInstanceError, fields

import pytest

from tlsmgr.errors import Status
from tlsmgr.messages import (
    CacheType,
    LookupReply,
    LookupRequest,
    SeedReply,
    TicketKeyReply,
    UpdateRequest,
    Verb,
    failure,
)

_SECRET = b"geheim"


@pytest.mark.parametrize(
    "message",
    [
        UpdateRequest(cache_type=CacheType.SMTP, cache_id=b"x", session=_SECRET),
        SeedReply(status=Status.OK, seed=_SECRET),
        LookupReply(status=Status.OK, session=_SECRET),
        TicketKeyReply(status=Status.OK, key_buffer=_SECRET),
    ],
)
def test_a_secret_is_not_in_the_repr(message: object) -> None:
    """A session, a seed or a key does not get into a log or a traceback by way of repr."""
    assert "geheim" not in repr(message)


def test_messages_compare_by_value_and_do_not_change() -> None:
    """They can be keys, and be handed on without a copy."""
    request = LookupRequest(cache_type=CacheType.SMTP, cache_id=b"x")
    assert request == LookupRequest(cache_type=CacheType.SMTP, cache_id=b"x")
    assert len({request, LookupRequest(cache_type=CacheType.SMTP, cache_id=b"x")}) == 1
    with pytest.raises(FrozenInstanceError):
        request.cache_id = b"y"  # type: ignore[misc]


@pytest.mark.parametrize("verb", [*Verb, None])
def test_a_failure_says_nothing_but_that(verb: Verb | None) -> None:
    """Status FAILED, and every other field empty, whatever was asked."""
    reply = failure(verb)
    assert reply.status is Status.FAILED
    assert not any(getattr(reply, field.name) for field in fields(reply) if field.name != "status")


def test_the_names_are_those_of_the_protocols() -> None:
    """Verbs and cache types travel under these names."""
    assert [verb.value for verb in Verb] == ["seed", "policy", "lookup", "update", "delete", "tktkey"]
    assert [cache_type.value for cache_type in CacheType] == ["smtpd", "smtp", "lmtp"]
