"""What is asked of a shared store, whichever it is: bytes under keys, each with a time to live."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from tlsmgr.shared_store.failures import SharedStoreError

#: Bytes of a value that are read at most: who else writes to the store cannot have us read megabytes.
VALUE_MAX: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPut:
    """Have ``value`` under ``key`` for ``milliseconds``, whatever was there."""

    key: bytes
    value: bytes = field(repr=False)
    milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRemove:
    """Have nothing under ``key``."""

    key: bytes


SharedChange: TypeAlias = SharedPut | SharedRemove


class SharedStore(Protocol):
    """A store of bytes; each method waits for the store no longer than its own socket timeout.

    Every method raises SharedStoreError when the store cannot be used or refuses.
    """

    async def get(self, key: bytes) -> bytes | None:
        """Return what is under ``key``, cut to ``VALUE_MAX``, or None; nothing at all is None, too.

        It takes one round trip.
        """

    async def put(self, key: bytes, value: bytes, milliseconds: int) -> None:
        """Have ``value`` under ``key`` for so long, whatever was there."""

    async def put_if_absent(self, key: bytes, value: bytes, milliseconds: int) -> bytes:
        """Have ``value`` under ``key`` if nothing is there; return what is there afterwards.

        Of several that ask at once, all get the same value back. It may be an empty one, which no
        ``get`` tells from nothing.
        """

    async def delete(self, key: bytes) -> None:
        """Have nothing under ``key``."""

    async def apply(self, changes: Sequence[SharedChange]) -> list[SharedStoreError | None]:
        """Make the changes in their order, in one round trip; return for each what it failed with.

        Raises:
            SharedStoreError: it is not known what was done, if anything: the connection broke.
        """

    async def ping(self) -> None:
        """Return when the store answered."""

    async def close(self) -> None:
        """Close all connections; what is under way fails."""
