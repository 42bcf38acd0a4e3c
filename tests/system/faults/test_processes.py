"""A process that ends, stops or runs short: the others go on, and so does it when it can."""

import resource
import signal
import threading
import time
from contextlib import ExitStack

import pytest

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from storming.process_figures import descriptors
from tests.system.faults.claims import (
    PROMPT_SECONDS,
    ask,
    check_logged_once,
    check_recovery,
    check_what_is_always_answered,
    found,
    is_found,
    save,
    store_directory,
)
from tests.system.faults.conftest import Served
from tlsmgr.errors import Status
from tlsmgr.messages import CacheType, PolicyRequest, SeedReply, SeedRequest, Verb

pytestmark = pytest.mark.system

IDS = [b"id %d" % number for number in range(10)]
_POLICY = PolicyRequest(cache_type=CacheType.SMTPD)


def check_seeds(sandbox: Sandbox, count: int = 50) -> None:
    """See that seeds are answered in time, each another one, for longer than what was fetched lasts."""
    seeds = []
    for _ in range(count):
        reply = ask(sandbox, SeedRequest(size=255), Verb.SEED)
        assert isinstance(reply, SeedReply)
        assert reply.status is Status.OK
        seeds.append(reply.seed)
    assert len(set(seeds)) == count


def test_prng_server_killed() -> None:
    """The kernel's generator answers, and the next PRNG server is asked again."""
    with Sandbox(caches=("smtpd",)) as sandbox:
        prng_server, worker = sandbox.start("prng-server"), sandbox.start("cache-server")
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        prng_server.kill()
        check_seeds(sandbox)
        check_what_is_always_answered(sandbox)
        assert found(sandbox, IDS) == IDS
        check_logged_once(worker, "seeds come from the kernel's generator meanwhile")
        sandbox.start("prng-server")
        wait_for("blocks again", lambda: _asks_the_prng_server(sandbox), evidence=lambda: worker.log)


def _asks_the_prng_server(sandbox: Sandbox) -> bool:
    check_seeds(sandbox, 5)
    with sandbox.client("prng-server") as client:
        figures = client.call("stats")
    assert isinstance(figures, dict)
    return bool(figures["pool"]["requests"])


def test_prng_server_stopped(served: Served) -> None:
    """It holds its connection and says nothing: who waits is answered from the kernel in 0.1 s."""
    served.prng_server.signal(signal.SIGSTOP)
    try:
        check_seeds(served.sandbox)
        check_what_is_always_answered(served.sandbox)
        assert save(served.sandbox, b"while stopped")
        check_logged_once(served.cache_server, "seeds come from the kernel's generator meanwhile")
    finally:
        served.prng_server.signal(signal.SIGCONT)
    wait_for("blocks again", lambda: "the PRNG server answers again" in _after_seeds(served))


def _after_seeds(served: Served) -> str:
    check_seeds(served.sandbox, 5)
    return served.cache_server.log


def test_cache_server_stopped(served: Served) -> None:
    """Who asked meanwhile is answered once it goes on, and what it said it saved is there."""
    sandbox = served.sandbox
    assert all(save(sandbox, cache_id) for cache_id in IDS)
    with ExitStack() as stack:
        clients = [stack.enter_context(AttributeClient(sandbox.postfix_socket)) for _ in range(5)]
        served.cache_server.signal(signal.SIGSTOP)
        try:
            for client in clients:
                client.send([_POLICY])
            waker = threading.Timer(0.3, served.cache_server.signal, [signal.SIGCONT])
            waker.start()
            started = time.monotonic()
            for client in clients:
                assert client.reply(Verb.POLICY).status is Status.OK
            assert time.monotonic() - started < 0.3 + PROMPT_SECONDS
        finally:
            served.cache_server.signal(signal.SIGCONT)
            waker.join()
    assert found(sandbox, IDS) == IDS


def test_cache_server_killed() -> None:
    """The next one has every session that was acknowledged, and the same ticket key."""
    with Sandbox(caches=("smtpd",)) as sandbox:
        sandbox.start("prng-server")
        worker = sandbox.start("cache-server")
        with sandbox.client() as client:
            key = client.ticket_key()
        assert all(save(sandbox, cache_id) for cache_id in IDS)
        worker.kill()
        sandbox.start("cache-server")
        assert found(sandbox, IDS) == IDS
        with sandbox.client() as client:
            assert client.ticket_key() == key


def test_sweeper_killed(served: Served) -> None:
    """Nothing is lost in the middle of a sweep, and nothing waits for its lock."""
    sandbox = served.sandbox
    sweeper = sandbox.start("expiry-sweeper")
    assert all(save(sandbox, cache_id) for cache_id in IDS)
    sweeper.kill()
    assert found(sandbox, IDS) == IDS
    check_recovery(sandbox, served.cache_server)
    again = sandbox.start("expiry-sweeper")
    assert sandbox.command("sweep").returncode == 0
    assert again.stop() == 0
    assert found(sandbox, IDS) == IDS


def test_no_descriptor_left(served: Served) -> None:
    """Who is connected is answered, new clients take the place of idle ones, the store stays open."""
    sandbox, worker = served.sandbox, served.cache_server
    check_recovery(sandbox, worker)
    former = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (descriptors(worker.pid) + 2, former[1]))
    try:
        with ExitStack() as stack:
            for _ in range(8):
                client = stack.enter_context(AttributeClient(sandbox.postfix_socket))
                assert client.ask(_POLICY, Verb.POLICY).status is Status.OK
            check_what_is_always_answered(sandbox)
            assert save(sandbox, b"without descriptors")
            assert is_found(sandbox, b"without descriptors")
            check_logged_once(worker, "cannot accept connections now")
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, former)
    check_recovery(sandbox, worker)


def test_no_descriptor_for_a_store(served: Served) -> None:
    """A store that has to be opened anew waits for descriptors; the rest is answered."""
    sandbox, worker = served.sandbox, served.cache_server
    check_recovery(sandbox, worker)
    former = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
    with AttributeClient(sandbox.postfix_socket) as client:
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (8, former[1]))
        try:
            store_directory(sandbox).rename(sandbox.data / "moved away")
            worker.wait_for_log("Too many open files")
            assert client.ask(_POLICY, Verb.POLICY).status is Status.OK
        finally:
            resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, former)
    check_recovery(sandbox, worker)
