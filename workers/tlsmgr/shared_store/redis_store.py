"""A shared store on Redis or Valkey, through redis-py."""

from collections.abc import Sequence
from typing import Any

from tlsmgr.shared_store.address import Credentials, StoreAddress
from tlsmgr.shared_store.failures import SharedStoreError
from tlsmgr.shared_store.redis_clients import close_client, make_client
from tlsmgr.shared_store.redis_errors import as_shared_store_error
from tlsmgr.shared_store.store import VALUE_MAX, SharedChange, SharedPut

# Only a key that expires between two commands takes more than one.
_ATTEMPTS = 3


class RedisStore:
    """A ``SharedStore``; see there for the methods.

    Whatever redis-py raises is a failure of the store: besides its own errors and the system's, what
    comes of an answer that is none (ValueError), or of a cluster without slots (IndexError). The
    original is not chained: its text may quote a password.

    Args:
        address: where the servers are.
        credentials: user and password, if they want any.

    Raises:
        ConfigurationError: a file of TLS cannot be used.
    """

    def __init__(self, address: StoreAddress, credentials: Credentials | None) -> None:
        self._address = address
        self._client = make_client(address, credentials)

    def __repr__(self) -> str:
        return f"<RedisStore {self._address}>"

    async def get(self, key: bytes) -> bytes | None:
        """Return what is under ``key``, cut to ``VALUE_MAX``, or None; nothing at all is None, too."""
        found = await self._ask("GETRANGE", key, 0, VALUE_MAX - 1)
        return found if found and isinstance(found, bytes) else None

    async def put(self, key: bytes, value: bytes, milliseconds: int) -> None:
        """Have ``value`` under ``key`` for so long, whatever was there."""
        await self._ask("SET", key, value, "PX", milliseconds)

    async def put_if_absent(self, key: bytes, value: bytes, milliseconds: int) -> bytes:
        """Have ``value`` under ``key`` if nothing is there; return what is there afterwards.

        An empty value that somebody else put there is something.
        """
        for _ in range(_ATTEMPTS):
            if await self._ask("SET", key, value, "PX", milliseconds, "NX"):
                return value
            found = await self.get(key)
            if found is not None:
                return found
        return b""  # there is something, since nothing comes in; and nothing is in it

    async def delete(self, key: bytes) -> None:
        """Have nothing under ``key``."""
        await self._ask("DEL", key)

    async def apply(self, changes: Sequence[SharedChange]) -> list[SharedStoreError | None]:
        """Make the changes in their order, in one round trip; return for each what it failed with."""
        pipeline = self._client.pipeline(transaction=False)
        for change in changes:
            if isinstance(change, SharedPut):
                pipeline.execute_command("SET", change.key, change.value, "PX", change.milliseconds)
            else:
                pipeline.execute_command("DEL", change.key)
        try:
            outcomes = await pipeline.execute(raise_on_error=False)
        except Exception as error:  # noqa: BLE001 - see above
            raise self._failure(error) from None
        return [self._failure(each) if isinstance(each, Exception) else None for each in outcomes]

    async def ping(self) -> None:
        """Return when the store answered."""
        await self._ask("PING")

    async def close(self) -> None:
        """Close all connections; what is under way fails."""
        try:
            await close_client(self._client)
        except Exception as error:  # noqa: BLE001 - see above
            raise self._failure(error) from None

    async def _ask(self, *command: Any) -> object:  # noqa: ANN401  # as redis-py takes them
        try:
            answer: object = await self._client.execute_command(*command)
        except Exception as error:  # noqa: BLE001 - see above
            raise self._failure(error) from None
        return answer

    def _failure(self, error: Exception) -> SharedStoreError:
        return as_shared_store_error(error, self._address)
