"""The verbs about session ticket keys: keys, explain. Neither shows a secret."""

import argparse
import binascii
import json
import re
import sys
import time
from typing import Any

from tlsmgr.cli.asking import call_for_map
from tlsmgr.cli.options import Verbs, add_verb, settings_of
from tlsmgr.cli.terminal import Painter, aligned, clock_time, short_time
from tlsmgr.client import Client
from tlsmgr.errors import ExitCode
from tlsmgr.messages import TICKET_KEY_NAME_SIZE

_TIMEOUT_SECONDS = 5.0
_STYLES = {"current": "green", "over": "dim", "next": "dim"}


def add_verbs(verbs: Verbs) -> None:
    """Add these verbs to the command."""
    keys = add_verb(verbs, "keys", "List the session ticket keys: name, state, times.", _keys)
    keys.add_argument("--json", action="store_true", help="print one JSON object a line")
    explain = add_verb(
        verbs,
        "explain",
        "Say why a session ticket can or cannot be decrypted here, by the name of its key.",
        _explain,
    )
    explain.add_argument(
        "name",
        metavar="KEYNAME",
        type=_key_name,
        help="32 hexadecimal digits: the first 16 bytes of a ticket; openssl sess_id -text shows them",
    )


def _key_name(text: str) -> bytes:
    try:
        # As openssl prints it too, with blanks and a hyphen in the middle.
        name = binascii.unhexlify(re.sub(r"[-: ]", "", text))
    except binascii.Error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not hexadecimal") from error
    if len(name) != TICKET_KEY_NAME_SIZE:
        raise argparse.ArgumentTypeError(f"a key's name has {TICKET_KEY_NAME_SIZE} bytes, not {len(name)}")
    return name


def _call(options: argparse.Namespace, method: str, *params: object) -> dict[str, Any]:
    path = settings_of(options).tlsmgr_run_directory / "cache-server.sock"
    with Client(path, timeout=_TIMEOUT_SECONDS) as client:
        return call_for_map(client, method, *params)


def _keys(options: argparse.Namespace) -> ExitCode:
    answer = _call(options, "keys")
    keys = [{**key, "name": key["name"].hex()} for key in answer["keys"]]
    if options.json:
        sys.stdout.write("".join(json.dumps(key) + "\n" for key in keys))
    elif not keys:
        sys.stdout.write(_why_none(answer["timeout"]) + "\n")
    else:
        _print_table(keys)
    return ExitCode.OK


def _why_none(timeout: int) -> str:
    if timeout <= 0:
        return "no ticket keys: smtpd_tls_session_cache_timeout is 0"
    return "no ticket keys yet: the first smtpd that asks has one made"


def _print_table(keys: list[dict[str, Any]]) -> None:
    now = time.time()
    has_farm = any("epoch" in key for key in keys)
    rows = [
        (
            key["name"],
            key["state"],
            *(_until(key[name], now) for name in ("encrypts_until", "decrypts_until")),
            *((str(key.get("epoch", "-")), key.get("source", "local")) if has_farm else ()),
        )
        for key in keys
    ]
    titles = ("NAME", "STATE", "ENCRYPTS", "DECRYPTS", *(("EPOCH", "SOURCE") if has_farm else ()))
    head, *lines = aligned([titles, *rows])
    painter = Painter(sys.stdout)
    sys.stdout.write(painter.paint(head, "bold") + "\n")
    for key, line in zip(keys, lines, strict=True):
        style = _STYLES.get(key["state"])
        sys.stdout.write((painter.paint(line, style) if style else line) + "\n")


def _until(when: int, now: float) -> str:
    left = f"{short_time(when - now)} left" if when > now else "over"
    return f"until {clock_time(when)} ({left})"


def _explain(options: argparse.Namespace) -> ExitCode:
    answer = _call(options, "explain", options.name)
    sys.stdout.write(f"{'yes' if answer['decrypts'] else 'no'}: {_reason(answer)}\n")
    return ExitCode.OK if answer["decrypts"] else ExitCode.NOT_DONE


def _reason(answer: dict[str, Any]) -> str:
    times = {name: clock_time(answer[name]) for name in _TIMES if name in answer}
    if "epoch" in answer:
        key = f"a key of the farm, from the {answer['source']}, of epoch {answer['epoch']}"
        return f"{key}, {_distance(answer)}. {_FARM_REASONS[answer['reason']].format(**times)}"
    return _REASONS[answer["reason"]].format(**times)


def _distance(answer: dict[str, Any]) -> str:
    ahead = answer["epochs_ahead"]
    if not ahead:
        return "which is the present one"
    return f"{abs(ahead)} epoch{'' if abs(ahead) == 1 else 's'} {'ahead' if ahead > 0 else 'ago'}"


_TIMES = ("encrypts_until", "decrypts_until", "left_at")
_REASONS = {
    "current": "this is the current key. New tickets are encrypted with it until {encrypts_until}, and"
    " decrypted until {decrypts_until}.",
    "previous": "this is the key before the current one. Tickets that were encrypted with it are decrypted"
    " until {decrypts_until}.",
    "over": "the time of this key was over at {decrypts_until}. The client makes a full handshake and gets"
    " a new ticket; for tickets that live longer, raise smtpd_tls_session_cache_timeout.",
    "outlives": "this key was made for a longer smtpd_tls_session_cache_timeout than there is now, or before"
    " the clock was set back; it is not used any more.",
    "replaced": "newer keys took its place at {left_at}: there are two at a time, and the older one goes."
    " Was smtpd_tls_session_cache_timeout lowered, or were the keys rotated by hand?",
    "revoked": "it was revoked at {left_at} (tlsmgr revoke).",
    "lost": "it was lost by {left_at}: cache-server and prng-server were stopped at the same time, as by a"
    " reboot, and with them went what it was sealed with. To keep keys over that, set"
    " tlsmgr_sealing_key_file; for an upgrade, use scripts/rolling-restart.",
    "disabled": "there are no tickets: smtpd_tls_session_cache_timeout is 0.",
    "unknown": "this cache server knows of no key of this name, now or among the last ones. Either the"
    " ticket is older than those; or it is of another host, or of Postfix's own tlsmgr; or the name is"
    " mistyped (tlsmgr keys lists those that there are).",
}
_FARM_REASONS = {
    "current": "New tickets are encrypted with it until {encrypts_until}, and decrypted until"
    " {decrypts_until}.",
    "other": "Another one encrypts, as two hosts made one each. Tickets of this one are decrypted until"
    " {decrypts_until}.",
    "previous": "Tickets that were encrypted with it are decrypted until {decrypts_until}.",
    "over": "Its time was over at {decrypts_until}.",
    "next": "It is accepted from tlsmgr_clock_skew before its epoch on, for hosts whose clock is ahead.",
    "other_epoch": "It is not the time for it on this host: either the ticket is too old, or a clock is"
    " wrong (tlsmgr farm check compares them), or this host's keys were revoked.",
}
