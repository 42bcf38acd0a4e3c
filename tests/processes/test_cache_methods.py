"""The cache server's methods for who looks after it, as any client calls them."""

from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.errors import ProtocolError
from tlsmgr.messages import CacheType


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    """Give a sandbox in which the cache server runs; lmtp has no cache."""
    with Sandbox() as made:
        made.configure("lmtp_tls_session_cache_database =")
        made.start("cache-server")
        yield made


def _call(sandbox: Sandbox, method: str, *params: object) -> dict[str, Any]:
    with sandbox.client() as client:
        answer = client.call(method, *params)
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("list", ()),
        ("list", ("smtp",)),
        ("list", ("imap", 0)),
        ("list", (5, 0)),
        ("list", ("smtp", -1)),
        ("list", ("smtp", True)),
        ("list", ("smtp", "0")),
        ("list", ("smtp", 2**63)),
        ("flush", ("smtp", 0)),
        ("flush", ("smtp", 0, "x", 1)),
        ("flush", ("smtp", 0, None, True)),
        ("flush", ("smtp", 0, "x", True, 5)),
        ("keys", ("x",)),
        ("explain", ()),
        ("explain", (b"short",)),
        ("explain", (5,)),
        ("explain", (bytes(16), bytes(16))),
    ],
)
def test_params_that_make_no_sense_are_refused(
    served: Sandbox, method: str, params: tuple[object, ...]
) -> None:
    """And the connection lives on."""
    with served.client() as client:
        with pytest.raises(ProtocolError):
            client.call(method, *params)
        assert client.call("ping")


def test_a_cache_that_is_not_enabled_has_no_entries(served: Sandbox) -> None:
    """To ask is no error."""
    assert _call(served, "list", "lmtp", 0) == {"status": 0, "entries": (), "next": None}
    dry_run = False
    assert _call(served, "flush", "lmtp", 0, "", dry_run) == {"status": 0, "chosen": 0, "next": None}


def test_a_page_has_no_session_in_it(served: Sandbox) -> None:
    """An id that is any bytes, two times, a size; and where the next page begins."""
    session = b"nobody is to see this"
    with served.client() as client:
        assert client.update(CacheType.SMTP, b"\xff\x00", session)

    page = _call(served, "list", b"smtp", 0)

    ((cache_id, stored_at, expires_at, size),) = page["entries"]
    assert (cache_id, size) == (b"\xff\x00", len(session))
    assert expires_at - stored_at == pytest.approx(3600)
    assert session not in repr(page).encode()
    assert _call(served, "list", "smtp", page["next"])["entries"] == ()
