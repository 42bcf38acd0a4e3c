"""What a fuzzer starts from: one good example of everything, and what earlier runs have found."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from rehearsal.checkout import CHECKOUT
from tlsmgr.messages import (
    CacheType,
    DeleteRequest,
    LookupRequest,
    PolicyRequest,
    Request,
    SeedRequest,
    TicketKeyRequest,
    UpdateRequest,
)
from tlsmgr.wire.attribute_client import encode_request
from tlsmgr.wire.rpc import call_of, encode_call, encode_notification

_VECTORS = CHECKOUT / "tests" / "vectors"

#: Inputs that once showed a defect, in a folder for each target: the tests replay them.
FINDINGS = _VECTORS / "fuzz"

_REQUESTS: tuple[Request, ...] = (
    SeedRequest(size=32),
    PolicyRequest(cache_type=CacheType.SMTPD),
    LookupRequest(cache_type=CacheType.SMTP, cache_id=b"id"),
    UpdateRequest(cache_type=CacheType.LMTP, cache_id=b"id", session=b"session"),
    DeleteRequest(cache_type=CacheType.SMTPD, cache_id=b""),
    TicketKeyRequest(name=bytes(16)),
)
_MAIN_CF = (
    b"mail_owner = postfix\n# comment\n\nsmtpd_tls_session_cache_database =\n  btree:$data_directory/x\n",
    b"a = ${b?{c}:{d}}\n\t# between\n e\nno equals sign\n",
    b" indented = first\n= nameless\nb=\xff\r\n",
)


def seeds(target: str) -> list[bytes]:
    """Return what the fuzzing of a target starts from."""
    made = {
        "attributes": lambda: [*map(encode_request, _REQUESTS), *_recorded()],
        "calls": lambda: [*_encoded_calls(), encode_notification("ping", []), b"\xc1", b"\x94\x00"],
        "main-cf": lambda: list(_MAIN_CF),
    }
    return [*made[target](), *findings(target)]


def findings(target: str) -> list[bytes]:
    """Return the inputs that once showed a defect in this target."""
    folder = FINDINGS / target
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []


def _encoded_calls() -> Iterator[bytes]:
    for request in _REQUESTS:
        method, params = call_of(request)
        yield encode_call(1, method, params)


def _recorded() -> Iterator[bytes]:
    """Give what the recorded conversations with Debian's tlsmgr sent."""
    for path in sorted(Path(_VECTORS).glob("*.json")):
        exchanges = json.loads(path.read_text())["exchanges"].values()
        for exchange in exchanges:
            yield b"".join(base64.b64decode(step) for step in exchange["steps"] or [])
