"""Hypothesis strategies for every request and every reply."""

from hypothesis import strategies as st

from tlsmgr.errors import Status
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupReply,
    LookupRequest,
    PolicyReply,
    PolicyRequest,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    StatusReply,
    TicketKeyReply,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)

_cache_types = st.sampled_from(CacheType)
_failures = st.sampled_from([Status.NOT_DONE, Status.FAILED])
_data = st.binary(max_size=300)
_timeouts = st.integers(min_value=0, max_value=8640000)


def requests(cache_ids: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[Verb, Request]]:
    """Return every well-formed request with its verb."""
    entry = {"cache_type": _cache_types, "cache_id": cache_ids}
    names = st.one_of(st.just(b""), st.binary(min_size=16, max_size=16))
    return st.one_of(
        _with(Verb.SEED, st.builds(SeedRequest, size=st.integers(min_value=1, max_value=255))),
        _with(Verb.POLICY, st.builds(PolicyRequest, cache_type=_cache_types)),
        _with(Verb.LOOKUP, st.builds(LookupRequest, **entry)),
        _with(Verb.UPDATE, st.builds(UpdateRequest, **entry, session=_data)),
        _with(Verb.DELETE, st.builds(DeleteRequest, **entry)),
        _with(Verb.TICKET_KEY, st.builds(TicketKeyRequest, name=names)),
    )


def _with(verb: Verb, values: st.SearchStrategy[Request]) -> st.SearchStrategy[tuple[Verb, Request]]:
    return st.tuples(st.just(verb), values)


_ok = st.just(Status.OK)
#: Every reply with the verb that it answers; a payload with status OK only.
replies: st.SearchStrategy[tuple[Verb, Reply]] = st.one_of(
    st.tuples(st.just(Verb.SEED), st.builds(SeedReply, status=_ok, seed=_data)),
    st.tuples(st.just(Verb.SEED), st.builds(SeedReply, status=_failures)),
    st.tuples(
        st.just(Verb.POLICY),
        st.builds(PolicyReply, status=st.sampled_from(Status), cachable=st.booleans(), timeout=_timeouts),
    ),
    st.tuples(st.just(Verb.LOOKUP), st.builds(LookupReply, status=_ok, session=_data)),
    st.tuples(st.just(Verb.LOOKUP), st.builds(LookupReply, status=_failures)),
    st.tuples(
        st.sampled_from([Verb.UPDATE, Verb.DELETE]),
        st.builds(StatusReply, status=st.sampled_from(Status)),
    ),
    st.tuples(st.just(Verb.TICKET_KEY), st.builds(TicketKeyReply, status=_ok, key_buffer=_data)),
    st.tuples(st.just(Verb.TICKET_KEY), st.builds(TicketKeyReply, status=_failures)),
)
