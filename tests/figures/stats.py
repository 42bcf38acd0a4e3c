"""What workers say that counted this and that, through the codec that it comes by."""

from collections.abc import Mapping

from tlsmgr.errors import Status
from tlsmgr.figures.families import AllStats
from tlsmgr.messages import LookupRequest
from tlsmgr.processes.request_names import request_figures
from tlsmgr.service.cache_figures import CacheFigures
from tlsmgr.wire import rpc


def some_stats() -> AllStats:
    """Return the stats of two workers; the third does not answer."""
    return {
        "cache-server": _carried({**_identity("cache-server"), **_cache_server()}),
        "prng-server": _carried({**_identity("prng-server"), "source_state": "good", "exchange_age": None}),
        "expiry-sweeper": None,
    }


def _identity(name: str) -> Mapping[str, object]:
    return {"status": 0, "name": name, "pid": 7, "version": '1.0"\\\n', "counting_since": 1700000000}


def _cache_server() -> Mapping[str, object]:
    cache = CacheFigures(hits=3, absent=1, expired=2)
    cache.hit_age.observe(5.0)
    cache.hit_age.observe(1e9)
    requests = request_figures()
    requests.rows[LookupRequest][Status.OK] += 3
    requests.timed(LookupRequest, requests.begin_timing())
    return {
        "caches": {"smtp": {"enabled": True, **cache.as_map()}, "lmtp": {"enabled": False}},
        "requests": {"postfix": requests.as_map()},
        "seeds": {"pool": 5, "kernel": 0},
        "of tomorrow": {"unknown": [1, {"2": 3}]},
    }


def _carried(figures: Mapping[str, object]) -> Mapping[str, object]:
    reader = rpc.ResponseReader(1 << 20)
    reader.feed(rpc.encode_result(1, figures))
    response = reader.next_response()
    assert response is not None
    result = rpc.result_of(response)
    assert isinstance(result, dict)
    return result
