"""The verbs that show and remove sessions: list, flush."""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence

from tlsmgr.cli.entry_access import Entries, Entry, reach_entries
from tlsmgr.cli.options import Verbs, add_verb, cache_type, settings_of
from tlsmgr.cli.terminal import Painter, Progress, printable, short_time
from tlsmgr.config.settings import Settings
from tlsmgr.destinations import destination_of, leading_to
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType

_TIME = re.compile(r"([0-9]{1,9})([smhdw]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LINE = "{:<5}  {:>7}  {:>7}  {:>6}  {}\n"


def add_verbs(verbs: Verbs) -> None:
    """Add these verbs to the command."""
    listing = add_verb(verbs, "list", "List the sessions: cache, age, time left, bytes, id.", _list)
    _add_choice(listing)
    listing.add_argument(
        "--older-than", type=_seconds, metavar="TIME", default=0, help="only those saved so long ago: 30m, 6h"
    )
    listing.add_argument("--json", action="store_true", help="print one JSON object a line")
    flush = add_verb(verbs, "flush", "Remove sessions: all, or those that lead to one destination.", _flush)
    _add_choice(flush)
    flush.add_argument("-n", "--dry-run", action="store_true", help="only count what would be removed")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", type=cache_type, metavar="CACHE", help="smtpd, smtp or lmtp; else all")
    parser.add_argument(
        "--destination",
        metavar="NAME",
        default="",
        help="only sessions with this host, address or next hop",
    )


def _seconds(text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, then s, m, h, d or w")
    return int(found[1]) * _UNITS[found[2]]


def _caches(options: argparse.Namespace, settings: Settings) -> Sequence[CacheType]:
    if options.cache is not None:
        return [options.cache]
    return [cache_type for cache_type, cache in settings.caches.items() if cache.database is not None]


def _list(options: argparse.Namespace) -> ExitCode:
    settings = settings_of(options)
    painter = Painter(sys.stdout)
    with reach_entries(settings) as entries:
        if not options.json:
            sys.stdout.write(painter.paint(_LINE.format("CACHE", "AGE", "LEFT", "BYTES", "ID"), "bold"))
        for cache_type in _caches(options, settings):
            timeout = settings.caches[cache_type].timeout
            for entry in _chosen(_all(entries, cache_type), options):
                left = min(entry.expires_at, entry.stored_at + timeout) - time.time()
                shown = _json_line if options.json else _text_line
                line = shown(cache_type, entry, left)
                sys.stdout.write(line if left > 0 or options.json else painter.paint(line, "dim"))
    return ExitCode.OK


def _all(entries: Entries, cache_type: CacheType) -> Iterator[Entry]:
    after: int | None = 0
    while after is not None:
        page, after = entries.page(cache_type, after)
        yield from page


def _chosen(entries: Iterator[Entry], options: argparse.Namespace) -> Iterator[Entry]:
    # Entries that are hidden keep whoever looks waiting: say how many went by.
    progress = Progress(sys.stderr, "looking")
    leads_there = leading_to(options.destination)
    for count, entry in enumerate(entries, start=1):
        is_old = time.time() - entry.stored_at >= options.older_than
        if is_old and (not options.destination or leads_there(entry.cache_id)):
            yield entry
        elif not sys.stdout.isatty() or options.destination or options.older_than:
            progress.show(f"{count} entries")
    progress.end()


def _text_line(cache_type: CacheType, entry: Entry, left: float) -> str:
    return _LINE.format(
        cache_type.value,
        short_time(time.time() - entry.stored_at),
        short_time(left) if left > 0 else "expired",
        entry.size,
        _printable(entry.cache_id),
    )


def _json_line(cache_type: CacheType, entry: Entry, left: float) -> str:
    destination = destination_of(entry.cache_id)
    shown: dict[str, object] = {
        "cache": cache_type.value,
        "id": _printable(entry.cache_id),
        "id_hex": entry.cache_id.hex(),
        "stored_at": round(entry.stored_at, 3),
        "age": round(time.time() - entry.stored_at, 3),
        "left": round(left, 3),
        "size": entry.size,
    }
    if destination is not None:
        shown |= {
            "next_hop": destination.next_hop,
            "host": destination.host,
            "address": destination.address,
        }
    return json.dumps(shown) + "\n"


def _printable(cache_id: bytes) -> str:
    return printable(cache_id.decode("utf-8", "backslashreplace"))


def _flush(options: argparse.Namespace) -> ExitCode:
    settings = settings_of(options)
    with reach_entries(settings) as entries:
        for cache_type in _caches(options, settings):
            count = _flush_cache(entries, cache_type, options)
            done = "would be removed" if options.dry_run else "removed"
            sys.stdout.write(f"cache {cache_type.value}: {count} entries {done}\n")
    return ExitCode.OK


def _flush_cache(entries: Entries, cache_type: CacheType, options: argparse.Namespace) -> int:
    progress = Progress(sys.stderr, f"flushing {cache_type.value}")
    count = 0
    after: int | None = 0
    while after is not None:
        chosen, after = entries.flush(cache_type, after, options.destination, dry_run=options.dry_run)
        count += chosen
        progress.show(f"{count} entries")
    progress.end()
    return count
