"""The verbs that ask the cache server: seed, policy, lookup, update, delete, tktkey."""

import argparse
import base64
import binascii
import os
import sys

from tlsmgr.cli.options import CarryOut, Verbs, add_verb, settings_of
from tlsmgr.client import Client
from tlsmgr.errors import ExitCode, Status
from tlsmgr.messages import (
    CacheType,
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
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait (default: %(default)s)",
    )
    return parser


def _add_cache(parser: argparse.ArgumentParser, *, with_id: bool = False) -> None:
    parser.add_argument("cache", type=CacheType, metavar="CACHE", help="smtpd, smtp or lmtp")
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
    return _EXIT_CODES[reply.status]


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
