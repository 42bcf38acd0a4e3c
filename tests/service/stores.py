"""A real store that can be told to fail, and what a cache over it needs."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tlsmgr.config.caches import CacheSettings
from tlsmgr.messages import CacheType
from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.sealing.session_sealer import SessionSealer
from tlsmgr.storage.limits import NO_LIMITS
from tlsmgr.storage.sessions import Applied, Change, SessionStore, StoreLimits

#: The key of all sealers here.
SECRET = bytes(range(32))
_KEYS = SealingKeys(keys=(SealingKey(SECRET),))


def sealer() -> Sealer:
    """Return a sealer; all of them open what one sealed."""
    return Sealer(_KEYS, os.urandom)


def session_sealer() -> SessionSealer:
    """Return what seals the sessions of an smtpd cache; it gives no alarm."""
    return SessionSealer(CacheType.SMTPD, sealer(), lambda: None)


def _do_nothing() -> None:
    """Stand for what happens after a commit."""


class TroubledStore(SessionStore):
    """Raises ``trouble`` in place of a change while it is set; remembers the sizes of its transactions."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, checkpoints=True)
        self.trouble: Exception | None = None
        self.transactions: list[int] = []
        self.after_commit: Callable[[], None] = _do_nothing

    def apply(self, changes: Sequence[Change], limits: StoreLimits = NO_LIMITS) -> Applied:
        """Make all changes, or raise."""
        if self.trouble is not None:
            raise self.trouble
        self.transactions.append(len(changes))
        applied = super().apply(changes, limits)
        self.after_commit()
        return applied


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the store's write lock, as another process would."""
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def settings(*, timeout: int = 3600, logs: bool = False, entry_limit: int = 0) -> CacheSettings:
    """Return the settings of an smtpd cache; its database is the opener's business."""
    return CacheSettings(
        cache_type=CacheType.SMTPD,
        database=None,
        timeout=timeout,
        loglevel=2 if logs else 0,
        logs_cache_events=logs,
        entry_limit=entry_limit,
        size_limit=0,
    )
