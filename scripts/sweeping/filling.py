"""A store with very many sessions, of which half have expired."""

import os
import time
from pathlib import Path

from benchmark.workloads import filling
from tlsmgr.messages import UpdateRequest
from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.sealing.session_sealer import SessionSealer
from tlsmgr.storage.sessions import Put, SessionStore

_GROUP = 50
_LIFETIME = 3600.0
# How the load generator spreads its ids, and what stands for one in its templates.
_FACTOR, _RANGE = 0x9E3779B97F4A7C15, 2**64
_KNOWN = b"#" * 16


def fill(directory: Path, entries: int, secret: bytes) -> None:
    """Save ``entries`` sessions; those with odd numbers expired a second ago.

    The load generator finds the others by twice the number of its id. They are sealed with
    ``secret``, for a cache server that has it in its ``tlsmgr_sealing_key_file``.
    """
    template = filling()
    if not isinstance(template, UpdateRequest):
        raise TypeError("a store is filled with updates")
    now = time.time()
    keys = SealingKeys(keys=(SealingKey(secret),))
    sealer = SessionSealer(template.cache_type, Sealer(keys, os.urandom), lambda: None)
    with SessionStore(directory, checkpoints=True, open_wait=1.0) as store:
        for start in range(0, entries, _GROUP):
            numbers = range(start, min(start + _GROUP, entries))
            store.apply(sealer.sealed([_entry(number, template, now, entries) for number in numbers]))
        store.close()


def _entry(number: int, template: UpdateRequest, now: float, entries: int) -> Put:
    # The order in which they are saved has nothing to do with who expires: half of each page does.
    is_fresh = number % 2 == 0
    key = number // 2 if is_fresh else entries + number
    name = b"%016X" % (key * _FACTOR % _RANGE)
    stored_at = now if is_fresh else now - _LIFETIME - 1
    return Put(
        cache_id=template.cache_id.replace(_KNOWN, name),
        session=template.session,
        stored_at=stored_at,
        expires_at=stored_at + _LIFETIME,
    )
