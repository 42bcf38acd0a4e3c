"""No descriptor left: clients wait a moment, the log says so once, and it is over by itself."""

import resource
from contextlib import ExitStack

from rehearsal.attribute_client import AttributeClient
from rehearsal.sandbox import Sandbox
from storming.process_figures import descriptors
from tlsmgr.messages import CacheType, PolicyReply, PolicyRequest, Verb

_POLICY = PolicyRequest(cache_type=CacheType.SMTPD)
_SPARE = 4
_CLIENTS = 24


def test_a_worker_without_descriptors_serves_who_comes_next(sandbox: Sandbox) -> None:
    """Each new client is answered, at the cost of idle ones, while none is free; later all stay."""
    worker = sandbox.start("cache-server")
    # Python's own limits would be this process's; the worker's are set from outside, as prlimit(1) does.
    former = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
    limit = descriptors(worker.pid) + _SPARE
    resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (limit, former[1]))
    with ExitStack() as stack:
        for _ in range(_CLIENTS):
            _connect(sandbox, stack)
        assert worker.log.count("cannot accept connections now") == 1

        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, former)

        later = [_connect(sandbox, stack) for _ in range(_CLIENTS)]
        for client in later:
            assert isinstance(client.ask(_POLICY, Verb.POLICY), PolicyReply)
    assert worker.stop() == 0


def _connect(sandbox: Sandbox, stack: ExitStack) -> AttributeClient:
    """Connect, and see that the first request is answered."""
    client = stack.enter_context(AttributeClient(sandbox.postfix_socket))
    assert isinstance(client.ask(_POLICY, Verb.POLICY), PolicyReply)
    return client
