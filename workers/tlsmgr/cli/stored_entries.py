"""The sessions on disk, listed and removed in the place of a cache server that does not run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tlsmgr.cli.entry_access import Entry
from tlsmgr.config.settings import Settings
from tlsmgr.errors import StoreBusyError
from tlsmgr.messages import CacheType
from tlsmgr.processes.lifecycle import make_private_directory
from tlsmgr.processes.pid_file import PidFile
from tlsmgr.processes.privileges import become
from tlsmgr.processes.stores import store_directories
from tlsmgr.sealing.sealer import OVERHEAD
from tlsmgr.service.flushing import flush_step
from tlsmgr.storage.sessions import SessionStore

# The sweeper goes on while the cache server is stopped.
_LOCK_WAIT_SECONDS = 2.0
_OPEN_WAIT_SECONDS = 2.0
_BUSY_PAUSE_SECONDS = 0.01
_BUSY_RETRIES = 200


@contextmanager
def stored_entries(settings: Settings) -> Iterator["StoredEntries"]:
    """Act as the mail owner, keep the cache server from starting, and give its stores.

    Raises:
        AddressInUseError: The cache server runs after all.
        HostError: The run directory or a store cannot be used.
    """
    become(settings.mail_owner)
    make_private_directory(settings.tlsmgr_run_directory)
    with ExitStack() as stack:
        claimed = PidFile.claim(settings.tlsmgr_run_directory / "cache-server.pid")
        stack.callback(claimed.release)
        yield StoredEntries(store_directories(settings), stack)


class StoredEntries:
    """The stores, opened when they are first needed; one that was never made has no entries."""

    def __init__(self, directories: Mapping[CacheType, Path], stack: ExitStack) -> None:
        self._directories = directories
        self._stack = stack
        self._stores: dict[CacheType, SessionStore] = {}

    def page(self, cache_type: CacheType, after: int) -> tuple[list[Entry], int | None]:
        """Return some entries, and where to go on."""
        store = self._store(cache_type)
        page = [] if store is None else store.entries(after)
        entries = [
            Entry(entry.cache_id, entry.stored_at, entry.expires_at, max(0, entry.size - OVERHEAD))
            for entry in page
        ]
        return entries, page[-1].number if page else None

    def flush(
        self, cache_type: CacheType, after: int, destination: str, *, dry_run: bool
    ) -> tuple[int, int | None]:
        """Remove some entries; see ``flush_step``."""
        store = self._store(cache_type)
        if store is None:
            return 0, None
        for _ in range(_BUSY_RETRIES):
            try:
                return flush_step(store, after, destination, dry_run=dry_run)
            except StoreBusyError:
                time.sleep(_BUSY_PAUSE_SECONDS)
        return flush_step(store, after, destination, dry_run=dry_run)

    def _store(self, cache_type: CacheType) -> SessionStore | None:
        directory = self._directories.get(cache_type)
        if cache_type not in self._stores and directory is not None and directory.exists():
            store = SessionStore(
                directory, checkpoints=True, lock_wait=_LOCK_WAIT_SECONDS, open_wait=_OPEN_WAIT_SECONDS
            )
            self._stack.callback(store.close)
            self._stores[cache_type] = store
        return self._stores.get(cache_type)
