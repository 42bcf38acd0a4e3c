"""Opening a shared store, whose client is an optional part of the installation."""

import importlib

from tlsmgr.errors import ConfigurationError
from tlsmgr.shared_store.address import Credentials, StoreAddress
from tlsmgr.shared_store.store import SharedStore


def open_shared_store(address: StoreAddress, credentials: Credentials | None) -> SharedStore:
    """Return the store at ``address``, not connected yet.

    It may take half a second, to import the client and to read files: do it before serving.

    Raises:
        ConfigurationError: the client is not installed, or a file of TLS cannot be used.
    """
    try:
        # Not above: who has no shared store needs no client, nor its 10 MB of memory.
        module = importlib.import_module("tlsmgr.shared_store.redis_store")
    except ImportError as error:
        raise ConfigurationError(
            f"{address}: the client for Redis and Valkey is not installed ({error.name}); install it:"
            " scripts/venv redis, or pip install 'tlsmgr[redis]'"
        ) from error
    store: SharedStore = module.RedisStore(address, credentials)
    return store
