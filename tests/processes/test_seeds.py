"""Seeds when the PRNG server is late, down, or back: there is always one, and soon."""

import signal
import time
from collections.abc import Mapping

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tlsmgr.errors import Status
from tlsmgr.messages import SeedReply, SeedRequest, Verb

# The promise is 100 ms; a busy machine needs some more to measure it.
_LATEST_SECONDS = 0.25
_SIZE = 255
_WARNING = "seeds come from the kernel's generator meanwhile"


def _slowest(client: AttributeClient, count: int = 30) -> float:
    """Ask for seeds, more than a block has, and return the longest wait for one."""
    slowest = 0.0
    for _ in range(count):
        started = time.monotonic()
        reply = client.ask(SeedRequest(size=_SIZE), Verb.SEED)
        slowest = max(slowest, time.monotonic() - started)
        assert isinstance(reply, SeedReply)
        assert reply.status is Status.OK
        assert len(reply.seed) == _SIZE
    return slowest


def _figures(sandbox: Sandbox) -> Mapping[str, int]:
    with sandbox.client() as client:
        result = client.call("stats")
    assert isinstance(result, dict)
    seeds = result["seeds"]
    assert isinstance(seeds, dict)
    return seeds


def _come_from_the_pool_again(sandbox: Sandbox, client: AttributeClient) -> None:
    before = _figures(sandbox)["pool"]

    def recovered() -> bool:
        client.ask(SeedRequest(size=_SIZE), Verb.SEED)
        return _figures(sandbox)["pool"] > before

    wait_for("seed of the PRNG server", recovered)


@pytest.mark.parametrize("trouble", [signal.SIGSTOP, signal.SIGKILL])
def test_a_prng_server_that_does_not_answer(sandbox: Sandbox, trouble: signal.Signals) -> None:
    """Seeds come from the kernel in time, with one warning, are counted, and later the pool's again."""
    prng_server = sandbox.start("prng-server")
    cache_server = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        _come_from_the_pool_again(sandbox, client)
        prng_server.signal(trouble)

        assert _slowest(client) < _LATEST_SECONDS
        assert _slowest(client) < _LATEST_SECONDS

        assert _figures(sandbox)["kernel"] > 0
        assert cache_server.log.count(_WARNING) == 1
        if trouble is signal.SIGSTOP:
            prng_server.signal(signal.SIGCONT)
        else:
            prng_server.wait()
            sandbox.start("prng-server")
        _come_from_the_pool_again(sandbox, client)
        cache_server.wait_for_log("the PRNG server answers again")


def test_without_a_prng_server_from_the_beginning(sandbox: Sandbox) -> None:
    """The cache server starts and gives seeds out, before there is a PRNG server."""
    cache_server = sandbox.start("cache-server")
    with AttributeClient(sandbox.postfix_socket) as client:
        assert _slowest(client) < _LATEST_SECONDS
        assert cache_server.log.count(_WARNING) == 1

        sandbox.start("prng-server")

        _come_from_the_pool_again(sandbox, client)
