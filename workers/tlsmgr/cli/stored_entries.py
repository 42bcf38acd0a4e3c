"""The sessions on disk, listed and removed in the place of a cache server that does not run.

Looking keeps nobody from starting, however long it takes. Removing does, for a fifth of a second at
a time, since the log of a store may be moved by one process only.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tlsmgr.cli.entry_access import Entry
from tlsmgr.config.settings import Settings
from tlsmgr.destinations import leading_to
from tlsmgr.errors import AddressInUseError, StoreBusyError
from tlsmgr.lock_holder import lock_holder
from tlsmgr.messages import CacheType
from tlsmgr.processes.pid_file import PidFile
from tlsmgr.processes.private_directory import make_private_directory
from tlsmgr.processes.privileges import become
from tlsmgr.processes.stores import store_directories
from tlsmgr.sealing.sealer import OVERHEAD
from tlsmgr.service.flushing import Step, flush_step
from tlsmgr.storage.reading import StoreReader, has_database
from tlsmgr.storage.sessions import SessionStore

# The sweeper goes on while the cache server is stopped.
_LOCK_WAIT_SECONDS = 2.0
_OPEN_WAIT_SECONDS = 2.0
_BUSY_PAUSE_SECONDS = 0.01
_BUSY_RETRIES = 200
# A cache server that is started while we remove something fails, and is tried again some times
# by supervisord: one of them meets a pause.
_TURN_SECONDS, _PAUSE_SECONDS = 0.2, 0.6


@contextmanager
def stored_entries(settings: Settings) -> Iterator["StoredEntries"]:
    """Act as the mail owner, and give the stores.

    Raises:
        AddressInUseError: The cache server runs after all.
        HostError: A store cannot be used.
    """
    become(settings.mail_owner)
    pid_file = settings.tlsmgr_run_directory / "cache-server.pid"
    if lock_holder(pid_file) is not None:
        raise _in_use(pid_file)
    with ExitStack() as stack:
        yield StoredEntries(store_directories(settings), pid_file, stack)


class StoredEntries:
    """The stores, opened when they are needed; one that was never made has no entries."""

    def __init__(self, directories: Mapping[CacheType, Path], pid_file: Path, stack: ExitStack) -> None:
        self._directories = directories
        self._pid_file = pid_file
        self._stack = stack
        self._readers: dict[CacheType, StoreReader] = {}

    def page(self, cache_type: CacheType, after: int) -> tuple[list[Entry], int | None]:
        """Return some entries, and where to go on."""
        reader = self._reader(cache_type)
        page = [] if reader is None else reader.entries(after)
        entries = [
            Entry(entry.cache_id, entry.stored_at, entry.expires_at, max(0, entry.size - OVERHEAD))
            for entry in page
        ]
        return entries, page[-1].number if page else None

    def flush(
        self, cache_type: CacheType, after: int, destination: str, *, dry_run: bool
    ) -> tuple[int, int | None]:
        """Remove some entries; see ``flush_step``.

        Raises:
            AddressInUseError: The cache server has been started meanwhile: it is the one to ask now.
        """
        if dry_run:
            entries, position = self.page(cache_type, after)
            leads_there = leading_to(destination)
            return sum(not destination or leads_there(entry.cache_id) for entry in entries), position
        directory = self._directory(cache_type)
        if directory is None:
            return 0, None
        if after:
            time.sleep(_PAUSE_SECONDS)
        with self._in_place_of_server(), _opened(directory) as store:
            return _flush_for_a_while(store, after, destination)

    @contextmanager
    def _in_place_of_server(self) -> Iterator[None]:
        make_private_directory(self._pid_file.parent)
        try:
            claimed = PidFile.claim(self._pid_file)
        except AddressInUseError:
            raise _in_use(self._pid_file) from None
        try:
            yield
        finally:
            claimed.release()

    def _reader(self, cache_type: CacheType) -> StoreReader | None:
        directory = self._directory(cache_type)
        if cache_type not in self._readers and directory is not None:
            self._readers[cache_type] = reader = StoreReader(directory)
            self._stack.callback(reader.close)
        return self._readers.get(cache_type)

    def _directory(self, cache_type: CacheType) -> Path | None:
        directory = self._directories.get(cache_type)
        return directory if directory is not None and has_database(directory) else None


def _opened(directory: Path) -> SessionStore:
    return SessionStore(
        directory, checkpoints=True, lock_wait=_LOCK_WAIT_SECONDS, open_wait=_OPEN_WAIT_SECONDS
    )


def _flush_for_a_while(store: SessionStore, after: int, destination: str) -> tuple[int, int | None]:
    until = time.monotonic() + _TURN_SECONDS
    count, position = 0, after
    while time.monotonic() < until:
        chosen, following = _patient_step(store, position, destination)
        count += chosen
        if following is None:
            return count, None
        position = following
    return count, position


def _patient_step(store: SessionStore, after: int, destination: str) -> Step:
    for _ in range(_BUSY_RETRIES):
        try:
            return flush_step(store, after, destination, dry_run=False)
        except StoreBusyError:
            time.sleep(_BUSY_PAUSE_SECONDS)
    return flush_step(store, after, destination, dry_run=False)


def _in_use(pid_file: Path) -> AddressInUseError:
    holder = lock_holder(pid_file)
    who = "another process" if holder is None else f"process {holder}"
    return AddressInUseError(
        f"{pid_file} is locked by {who}: cache-server is running, or being replaced; try again"
    )
