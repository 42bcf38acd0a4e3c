"""Postfix's smtp and lmtp clients resume their sessions out of their own caches."""

import datetime as dt
from collections.abc import Iterator

import pytest

from rehearsal.certificate import self_signed
from rehearsal.directories import traversable_directory
from tests.system.lmtp_server import lmtp_server
from tests.system.postfix_instance import PostfixInstance, client_parameters
from tests.system.postfix_presence import require_postfix
from tests.system.who_serves import SERVERS, Debian, Server, running

pytestmark = pytest.mark.system

_SAVED = "save session {0}&"
_RELOADED = "reloaded session {0}&"
_REUSED = "Reusing old session"


@pytest.fixture(scope="module", params=SERVERS, ids=str)
def server(request: pytest.FixtureRequest) -> Server:
    """Give each server that a Postfix can run with."""
    require_postfix()
    one: Server = request.param
    return one


@pytest.fixture(scope="module")
def receiver() -> Iterator[PostfixInstance]:
    """Run a Postfix that takes mail with STARTTLS and issues tickets, all of it Debian's."""
    require_postfix()
    with running(Debian()) as instance:
        yield instance


def test_smtp_resumes_for_the_second_message(server: Server, receiver: PostfixInstance) -> None:
    """Two messages over two connections: the second one's session is the first one's, from the smtp cache."""
    before = receiver.settled_maillog().count(_REUSED)
    with running(server, parameters=client_parameters(transport="smtp", port=receiver.port)) as sender:
        _send_two(sender, transport="smtp")
    assert receiver.settled_maillog().count(_REUSED) == before + 1, receiver.maillog_tail()


def test_lmtp_resumes_for_the_second_message(server: Server) -> None:
    """Likewise with lmtp, its own cache, and a receiver that is not Postfix."""
    with traversable_directory() as directory:
        certificate = self_signed(directory, now=dt.datetime.now(dt.UTC))
        with lmtp_server(certificate) as deliveries:
            parameters = client_parameters(transport="lmtp", port=deliveries.port)
            with running(server, parameters=parameters) as sender:
                _send_two(sender, transport="lmtp")
        assert deliveries.resumed == [False, True]


def _send_two(sender: PostfixInstance, *, transport: str) -> None:
    """Send two messages, one after the other, and see the log tell of one session for both."""
    for number in (1, 2):
        sender.send("recipient@example.net")
        sender.await_maillog("status=sent", count=number)
        assert sender.maillog().count(_REUSED) == number - 1, sender.maillog_tail()
    assert _SAVED.format(transport) in sender.maillog(), sender.maillog_tail()
    assert _RELOADED.format(transport) in sender.maillog(), sender.maillog_tail()
