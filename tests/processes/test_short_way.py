"""Lookups that memory alone answers: counted, timed and answered as by the long way."""

from collections.abc import Callable

import pytest

from tlsmgr.errors import Status
from tlsmgr.figures.requests import RequestFigures
from tlsmgr.messages import CacheType, LookupReply, LookupRequest, Request
from tlsmgr.processes.attribute_dialogue import AttributeDialogue
from tlsmgr.processes.request_names import request_figures
from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods
from tlsmgr.processes.short_way import Recall, ShortWay, recall_nothing
from tlsmgr.transport.dialogue import Dialogue
from tlsmgr.wire import rpc
from tlsmgr.wire.attribute_client import encode_request

LIMIT = 4096
SESSIONS = {(CacheType.SMTPD, b"known"): b"a session", (CacheType.LMTP, b""): b""}


def answer(request: Request) -> LookupReply:
    """Answer a lookup as the service does."""
    assert isinstance(request, LookupRequest)
    session = SESSIONS.get((request.cache_type, request.cache_id))
    return (
        LookupReply(status=Status.NOT_DONE)
        if session is None
        else LookupReply(status=Status.OK, session=session)
    )


def recall(cache_type: CacheType, cache_id: bytes) -> bytes | None:
    """Recall what is known."""
    return SESSIONS.get((cache_type, cache_id))


def _attributes(figures: RequestFigures, recall: Recall) -> Dialogue:
    recalled = ShortWay(recall, figures, LookupRequest).session
    return AttributeDialogue(LIMIT, answer, announces=False, figures=figures, recalled=recalled)


def _rpc(figures: RequestFigures, recall: Recall) -> Dialogue:
    methods = RpcMethods({}, answer, figures=figures, recalled=ShortWay(recall, figures, "lookup").session)
    return RpcDialogue(LIMIT, methods.with_method("own", lambda _: {}))


def _attribute_bytes(cache_type: CacheType, cache_id: bytes) -> bytes:
    return encode_request(LookupRequest(cache_type=cache_type, cache_id=cache_id))


def _rpc_bytes(cache_type: CacheType, cache_id: bytes) -> bytes:
    return rpc.encode_call(7, "lookup", (cache_type.value, cache_id))


@pytest.mark.parametrize(("make", "encode"), [(_attributes, _attribute_bytes), (_rpc, _rpc_bytes)])
def test_both_ways_answer_and_count_the_same(
    make: Callable[[RequestFigures, Recall], Dialogue], encode: Callable[[CacheType, bytes], bytes]
) -> None:
    """Sessions that are known and others, enough of them for some to be timed."""
    figures = request_figures(), request_figures()
    short, long = make(figures[0], recall), make(figures[1], recall_nothing)
    asked = [*SESSIONS, (CacheType.SMTPD, b"none"), (CacheType.SMTP, b"known")] * 20
    for cache_type, cache_id in asked:
        data = encode(cache_type, cache_id)
        assert short.answer_whole(data) == long.answer_whole(data)
    counted, expected = (each.as_map()["lookup"] for each in figures)
    assert isinstance(counted, dict)
    assert isinstance(expected, dict)
    assert counted["answers"] == expected["answers"] == {"ok": 40, "not_done": 40, "failed": 0}
    assert counted["seconds"]["count"] == expected["seconds"]["count"] == 5


def test_a_lookup_is_a_workers_own_where_it_has_a_method_of_that_name() -> None:
    """As for every other method: the worker's own comes first."""
    own = RpcMethods({"lookup": lambda _: {"own": True}}, answer, recalled=recall)
    dialogue = RpcDialogue(LIMIT, own)
    data = _rpc_bytes(CacheType.SMTPD, b"known")
    assert dialogue.answer_whole(data) is None
    assert dialogue.next_answer() == rpc.encode_result(7, {"own": True})
