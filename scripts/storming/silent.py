"""Clients that ask for much and read nothing."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rehearsal.attribute_client import AttributeClient
from tlsmgr.messages import CacheType, LookupRequest, UpdateRequest, Verb
from tlsmgr.wire.attribute_client import encode_request

_ID = b"large"
_SESSION_SIZE = 40_000
#: Answers of ten megabytes: far more than the kernel's buffers hold for one connection.
_REQUESTS = 200


@contextmanager
def silent_clients(path: Path, count: int) -> Iterator[list[socket.socket]]:
    """Have so many clients ask for 10 MB each at ``path``, and leave the answers unread.

    Gives their sockets: the server ends each at its deadline.
    """
    lookup = encode_request(LookupRequest(cache_type=CacheType.SMTPD, cache_id=_ID))
    with AttributeClient(path) as client:
        session = bytes(_SESSION_SIZE)
        client.ask(UpdateRequest(cache_type=CacheType.SMTPD, cache_id=_ID, session=session), Verb.UPDATE)
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            silent = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            silent.settimeout(30.0)
            silent.connect(str(path))
            silent.sendall(lookup * _REQUESTS)
            made.append(silent)
        yield made
