"""Running a test's coroutine with a store that is closed afterwards, on the workers' event loop."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
import uvloop

from tlsmgr.shared_store.address import parse_address, parse_credentials
from tlsmgr.shared_store.failures import Cause, SharedStoreError
from tlsmgr.shared_store.opening import open_shared_store
from tlsmgr.shared_store.store import SharedStore

_T = TypeVar("_T")


def with_store(
    url: str, test: Callable[[SharedStore], Awaitable[_T]], credentials: bytes | None = None
) -> _T:
    """Return what ``test`` returns of the store at ``url``, entered with what a file has as credentials."""
    parsed = None if credentials is None else parse_credentials(credentials)

    async def run() -> _T:
        store = open_shared_store(parse_address(url), parsed)
        try:
            return await test(store)
        finally:
            await store.close()

    return uvloop.run(run())


async def failure(asked: Awaitable[object], cause: Cause) -> str:
    """Return the message of the failure that ``asked`` ends with, for this cause."""
    with pytest.raises(SharedStoreError) as caught:
        await asked
    assert caught.value.cause is cause
    return str(caught.value)
