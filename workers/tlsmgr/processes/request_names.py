"""By what names the workers count requests, and how they time one whose answer comes later."""

import time
from collections.abc import Mapping
from typing import TypeVar

from tlsmgr.figures.requests import MALFORMED, MethodKey, RequestFigures
from tlsmgr.messages import (
    DeleteRequest,
    LookupRequest,
    PolicyRequest,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
    Verb,
)
from tlsmgr.transport.dialogue import Deferred

#: A method that is not served.
UNKNOWN = "unknown"
METHOD_NAMES = frozenset(verb.value for verb in Verb)

_VERBS: dict[MethodKey, Verb] = {
    SeedRequest: Verb.SEED,
    PolicyRequest: Verb.POLICY,
    LookupRequest: Verb.LOOKUP,
    UpdateRequest: Verb.UPDATE,
    DeleteRequest: Verb.DELETE,
    TicketKeyRequest: Verb.TICKET_KEY,
}

_Answer = TypeVar("_Answer", bytes, Deferred, bytes | Deferred)


def request_figures() -> RequestFigures:
    """Return what counts the requests of one protocol, by their types or by their methods' names."""
    return RequestFigures(time.perf_counter, _name)


def request_stats(by_protocol: Mapping[str, RequestFigures]) -> Mapping[str, object]:
    """Return what ``stats`` has of requests."""
    return {
        "requests": {protocol: figures.as_map() for protocol, figures in by_protocol.items()},
        "protocol_errors": {protocol: figures.protocol_errors for protocol, figures in by_protocol.items()},
    }


def end_timing(figures: RequestFigures, key: MethodKey, begun: float, answer: _Answer) -> _Answer:
    """End a timing: now, or when the answer is known; return the answer."""
    if isinstance(answer, Deferred):
        answer.result.add_done_callback(lambda _: figures.timed(key, begun))
    else:
        figures.timed(key, begun)
    return answer


def _name(key: MethodKey) -> str:
    if isinstance(key, str):
        return key
    return _VERBS[key].value if key in _VERBS else MALFORMED
