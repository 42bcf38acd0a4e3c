"""What a server has promised: which session must be found, and which may be.

A session's content follows from its id, its version and the run's seed, so that one
that belongs to another id, or is damaged, is told from the right one.
"""

import hashlib
import random
from dataclasses import dataclass, field

from tlsmgr.messages import CacheType

_SIZES = (1, 100, 400, 1500, 4000)
_NUMBER_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a session is saved under."""

    cache_type: CacheType
    cache_id: bytes


@dataclass(slots=True, kw_only=True)
class Entry:
    """What is known of one key.

    Attributes:
        possible: Versions that may be found; None stands for no session at all. One
            member is a promise. More come of requests whose answer never arrived.
        newest: The version that was sent last, answered or not.
    """

    possible: set[int | None] = field(default_factory=lambda: {None})
    newest: int = 0


def session_of(seed: int, key: Key, version: int) -> bytes:
    """Return the content of a version: its number, and bytes that nothing else has."""
    name = b"%d %b %b %d" % (seed, key.cache_type.value.encode(), key.cache_id, version)
    size = random.Random(name).choice(_SIZES)  # noqa: S311 - a size is no secret
    return version.to_bytes(_NUMBER_BYTES) + hashlib.shake_256(name).digest(size)


def version_of(seed: int, key: Key, session: bytes) -> int | None:
    """Return which version of this key's session it is, byte for byte; None for none of it."""
    version = int.from_bytes(session[:_NUMBER_BYTES])
    return version if session == session_of(seed, key, version) else None


class Ledger:
    """What one client was promised. No other client changes the same keys."""

    def __init__(self, seed: int, keys: list[Key]) -> None:
        self.seed = seed
        self.entries = {key: Entry() for key in keys}

    def next_session(self, key: Key) -> tuple[int, bytes]:
        """Return the next version of a session and its content; from now on it may be stored."""
        entry = self.entries[key]
        entry.newest += 1
        entry.possible.add(entry.newest)
        return entry.newest, session_of(self.seed, key, entry.newest)

    def promised(self, key: Key, version: int | None) -> None:
        """Note an answered change: only this version may be found from now on."""
        self.entries[key].possible = {version}

    def may_be_gone(self, key: Key) -> None:
        """Note a removal that was sent."""
        self.entries[key].possible.add(None)

    def complaint(self, key: Key, session: bytes | None) -> str | None:
        """Return what is wrong with the answer to a lookup, or None when it is one that may be."""
        entry = self.entries[key]
        version = None if session is None else version_of(self.seed, key, session)
        if session is not None and version is None:
            return f"{_shown(key)}: a session that is not this key's, {len(session)} bytes"
        if version not in entry.possible:
            expected = sorted(-1 if each is None else each for each in entry.possible)
            return f"{_shown(key)}: found version {version}, expected one of {expected} (-1: none)"
        return None

    def is_saved(self, key: Key) -> bool:
        """Whether a session is promised, whichever version."""
        return None not in self.entries[key].possible


def _shown(key: Key) -> str:
    return f"{key.cache_type.value}/{key.cache_id.decode()}"
