"""The way to the sessions: by asking the cache server, or on disk when it does not run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, Protocol

from tlsmgr.cli.asking import call_for_map
from tlsmgr.client import Client
from tlsmgr.config.settings import Settings
from tlsmgr.errors import AddressInUseError, ServerUnavailableError
from tlsmgr.messages import CacheType

_TIMEOUT_SECONDS = 5.0


class Entry(NamedTuple):
    """An entry, expired or not: its id, when it was stored and expires (since 1970), its session's bytes."""

    cache_id: bytes
    stored_at: float
    expires_at: float
    size: int


class Entries(Protocol):
    """The sessions of all caches, a page at a time: ``after`` is 0 at first, then what came with the page."""

    def page(self, cache_type: CacheType, after: int) -> tuple[list[Entry], int | None]:
        """Return some entries, and where to go on: None at the end."""

    def flush(
        self, cache_type: CacheType, after: int, destination: str, *, dry_run: bool
    ) -> tuple[int, int | None]:
        """Remove some that lead to a destination (if any); return how many, and where to go on."""


@contextmanager
def reach_entries(settings: Settings) -> Iterator[Entries]:
    """Give the way that there is now.

    Raises:
        ServerUnavailableError: The cache server runs, but does not answer.
        TlsmgrError: Another reason why nothing can be reached.
    """
    with Client(settings.tlsmgr_run_directory / "cache-server.sock", timeout=_TIMEOUT_SECONDS) as client:
        try:
            client.call("ping")
        except ServerUnavailableError as error:
            if isinstance(error.__cause__, PermissionError):
                raise  # who may not ask may not read either
            unavailable = error
        else:
            yield _AskedEntries(client)
            return
    # Its imports (diskcache, uvloop) take longer than all else; only this way needs them.
    from tlsmgr.cli.stored_entries import stored_entries  # noqa: PLC0415

    with ExitStack() as stack:
        try:
            entries = stack.enter_context(stored_entries(settings))
        except AddressInUseError as error:
            raise ServerUnavailableError(f"cannot reach the sessions: {unavailable}; {error}") from None
        yield entries


class _AskedEntries:
    def __init__(self, client: Client) -> None:
        self._client = client

    def page(self, cache_type: CacheType, after: int) -> tuple[list[Entry], int | None]:
        answer = call_for_map(self._client, "list", cache_type.value, after)
        return [Entry(*entry) for entry in answer["entries"]], answer["next"]

    def flush(
        self, cache_type: CacheType, after: int, destination: str, *, dry_run: bool
    ) -> tuple[int, int | None]:
        answer = call_for_map(self._client, "flush", cache_type.value, after, destination, dry_run)
        return answer["chosen"], answer["next"]
