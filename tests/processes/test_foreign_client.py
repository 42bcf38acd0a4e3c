"""A MessagePack-RPC client that this project did not write: pynvim's."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pynvim.msgpack_rpc import socket_session

from rehearsal.sandbox import Sandbox
from tlsmgr.processes.kinds import KINDS

_Answer = dict[str, Any]

# pynvim leaves the end of its transport to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """See that what pynvim leaves behind is collected within the test that made it."""
    yield
    gc.collect()


@contextmanager
def _session(sandbox: Sandbox, worker: str) -> Iterator[Any]:
    session = socket_session(str(sandbox.socket(worker)))
    try:
        yield session
    finally:
        session.close()
        asyncio.set_event_loop(None)


def test_makes_each_call_of_the_cache_server(sandbox: Sandbox) -> None:
    """Every method of the table answers with the map that the table says."""
    sandbox.start("prng-server")
    sandbox.start("cache-server")
    with _session(sandbox, "cache-server") as session:
        seed: _Answer = session.request("seed", 32)
        key: _Answer = session.request("tktkey", b"")
        name = key["keybuf"][:16]

        assert seed["status"] == 0
        assert len(seed["seed"]) == 32
        assert session.request("policy", "smtpd") == {"status": 0, "cachable": True, "timeout": 3600}
        assert session.request("update", "smtpd", b"\xffid", b"\x00\xff") == {"status": 0}
        assert session.request("lookup", "smtpd", b"\xffid") == {"status": 0, "session": b"\x00\xff"}
        assert session.request("delete", "smtpd", b"\xffid") == {"status": 0}
        assert session.request("delete", "smtpd", b"\xffid") == {"status": -1}
        assert session.request("lookup", "smtpd", b"\xffid")["status"] == -1
        assert key["status"] == 0
        assert len(key["keybuf"]) == 88
        assert session.request("tktkey", name) == key
        assert session.request("update", "lmtp", "text id", "text") == {"status": 0}
        assert session.request("lookup", "lmtp", b"text id") == {"status": 0, "session": b"text"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_calls_ping_and_stats_of_each_worker(sandbox: Sandbox, name: str) -> None:
    """Each worker says who it is and what it counted."""
    worker = sandbox.start(name)
    with _session(sandbox, name) as session:
        ping: _Answer = session.request("ping")
        stats: _Answer = session.request("stats")

    assert (ping["status"], ping["name"], ping["pid"]) == (0, name, worker.pid)
    assert stats["name"] == name
    assert stats["counting_since"] > 0


def test_calls_what_the_other_two_serve(sandbox: Sandbox) -> None:
    """The PRNG server takes a stir and gives a seed; the sweeper sweeps."""
    sandbox.start("prng-server")
    sandbox.start("expiry-sweeper")
    with _session(sandbox, "prng-server") as session:
        assert session.request("stir", b"entropy") == {"status": 0}
        assert len(session.request("seed", 255)["seed"]) == 255
    with _session(sandbox, "expiry-sweeper") as session:
        assert session.request("sweep")["caches"]["smtp"] == {"retained": 0, "dropped": 0}


def test_is_told_of_an_error_and_may_go_on(sandbox: Sandbox) -> None:
    """An unknown method and bad params are errors, and the connection lives."""
    sandbox.start("cache-server")
    with _session(sandbox, "cache-server") as session:
        # pynvim's own wrapper expects errors in the form that only Neovim gives them.
        session.error_wrapper = ValueError
        for method, params in (("nonsense", ()), ("seed", (0,)), ("seed", ("x",)), ("ping", (1,))):
            with pytest.raises(ValueError, match="status") as caught:
                session.request(method, *params)
            assert caught.value.args[0]["status"] == -2
        assert session.request("policy", "smtp")["status"] == 0
