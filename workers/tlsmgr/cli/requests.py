"""The verbs that ask the cache server: seed, policy, lookup, update, delete, tktkey."""

import argparse
import base64
import binascii
import os
import sys

from tlsmgr.cli.options import CarryOut, Verbs, add_verb, cache_type, seconds, settings_of
from tlsmgr.client import Client
from tlsmgr.errors import ExitCode, ProtocolError, Status
from tlsmgr.messages import (
    DeleteRequest,
    LookupReply,
    LookupRequest,
    PolicyReply,
    PolicyRequest,
    Reply,
    Request,
    SeedReply,
    SeedRequest,
    TicketKeyReply,
    TicketKeyRequest,
    UpdateRequest,
)

_EXIT_CODES = {Status.OK: ExitCode.OK, Status.NOT_DONE: ExitCode.NOT_DONE, Status.FAILED: ExitCode.REFUSED}
_NOT_DONE = {
    LookupRequest: "no session is saved under that id",
    DeleteRequest: "no session is saved under that id",
    UpdateRequest: "the session was not saved; the log of cache-server says why",
    TicketKeyRequest: "there is no such key; tlsmgr keys lists those that there are",
}


def add_verbs(verbs: Verbs) -> None:
    """Add these verbs to the command."""
    seed = _add(verbs, "seed", "Print random bytes from the PRNG pool.", _seed)
    seed.add_argument("size", type=int, help="how many bytes, 1 to 255")
    _add_raw(seed)
    policy = _add(verbs, "policy", "Print whether a cache is enabled, and its timeout.", _policy)
    _add_cache(policy)
    lookup = _add(verbs, "lookup", "Print the session saved under an id.", _lookup)
    _add_cache(lookup, with_id=True)
    _add_raw(lookup)
    update = _add(verbs, "update", "Save a session, read from standard input, under an id.", _update)
    _add_cache(update, with_id=True)
    delete = _add(verbs, "delete", "Remove the session saved under an id.", _delete)
    _add_cache(delete, with_id=True)
    ticket_key = _add(verbs, "tktkey", "Print a session ticket key.", _ticket_key)
    ticket_key.add_argument(
        "name", nargs="?", type=_hexadecimal, default=b"", help="in hexadecimal; by default the current one"
    )
    _add_raw(ticket_key)


def _add(verbs: Verbs, name: str, text: str, carry_out: CarryOut) -> argparse.ArgumentParser:
    parser = add_verb(verbs, name, text, carry_out)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait (default: %(default)s)",
    )
    return parser


def _add_cache(parser: argparse.ArgumentParser, *, with_id: bool = False) -> None:
    parser.add_argument("cache", type=cache_type, metavar="CACHE", help="smtpd, smtp or lmtp")
    if with_id:
        parser.add_argument("cache_id", type=os.fsencode, metavar="ID", help="the session's cache id")


def _add_raw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--raw", action="store_true", help="print the bytes as they are, not in base64")


def _hexadecimal(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except binascii.Error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not hexadecimal") from error


def _seed(options: argparse.Namespace) -> ExitCode:
    return _ask(options, SeedRequest(size=options.size))


def _policy(options: argparse.Namespace) -> ExitCode:
    return _ask(options, PolicyRequest(cache_type=options.cache))


def _lookup(options: argparse.Namespace) -> ExitCode:
    return _ask(options, LookupRequest(cache_type=options.cache, cache_id=options.cache_id))


def _update(options: argparse.Namespace) -> ExitCode:
    session = sys.stdin.buffer.read()
    limit = settings_of(options).tlsmgr_request_size_limit
    if len(session) + len(options.cache_id) >= limit:
        raise ProtocolError(
            f"a session of {len(session)} bytes is too large for a request:"
            f" tlsmgr_request_size_limit is {limit}"
        )
    return _ask(options, UpdateRequest(cache_type=options.cache, cache_id=options.cache_id, session=session))


def _delete(options: argparse.Namespace) -> ExitCode:
    return _ask(options, DeleteRequest(cache_type=options.cache, cache_id=options.cache_id))


def _ticket_key(options: argparse.Namespace) -> ExitCode:
    return _ask(options, TicketKeyRequest(name=options.name))


def _ask(options: argparse.Namespace, request: Request) -> ExitCode:
    path = settings_of(options).tlsmgr_run_directory / "cache-server.sock"
    with Client(path, timeout=options.timeout) as client:
        reply = client.ask(request)
    if reply.status is Status.OK:
        _print(reply, raw=getattr(options, "raw", False))
    else:
        sys.stderr.write(f"tlsmgr: {_why_not(request, reply.status)}\n")
    return _EXIT_CODES[reply.status]


def _why_not(request: Request, status: Status) -> str:
    if status is Status.NOT_DONE:
        return _NOT_DONE.get(type(request), "it could not be done; the log of cache-server says why")
    return "refused: this cache is not enabled, as main.cf names no database for it"


def _print(reply: Reply, *, raw: bool) -> None:
    if isinstance(reply, PolicyReply):
        sys.stdout.write(f"cachable = {'yes' if reply.cachable else 'no'}\ntimeout = {reply.timeout}s\n")
        return
    data = _data_of(reply)
    if data is not None:
        sys.stdout.buffer.write(data if raw else base64.b64encode(data) + b"\n")


def _data_of(reply: Reply) -> bytes | None:
    match reply:
        case SeedReply():
            return reply.seed
        case LookupReply():
            return reply.session
        case TicketKeyReply():
            return reply.key_buffer
        case _:
            return None
