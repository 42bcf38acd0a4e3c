"""A directory with a farm's secret, and a source of ticket keys that reads it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from tests.config.files import write_configuration
from tests.farm.test_secret import secret
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.farm.secret import FarmSecret
from tlsmgr.farm.secret_file import SecretFile
from tlsmgr.service.ratchet_source import RatchetSource

_NOW = 60 * 1000 + 30


class Scene:
    """A directory with a secret, and a source that reads it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "farm"
        self.now = float(_NOW)
        self.monotonic = 0.0

    def settings(self, timeout: int = 120) -> Settings:
        """Return the parameters."""
        write_configuration(self.directory, f"smtpd_tls_session_cache_timeout = {timeout}s\n")
        return load_settings(self.directory, overrides=(("tlsmgr_clock_skew", "10s"),))

    def put(self, made: FarmSecret) -> None:
        """Put a secret there, as another process would."""
        file = SecretFile(self.path, parameter="p", owner=os.geteuid())
        file.replace(made)
        file.close()

    def found(self) -> FarmSecret:
        """Return what is in the file."""
        return FarmSecret.from_text(self.path.read_text())

    @asynccontextmanager
    async def source(self) -> AsyncIterator[RatchetSource]:
        """Start a source, and close it."""
        self.file = SecretFile(self.path, parameter="p", owner=os.geteuid())
        made = RatchetSource(self.file, self.settings(), lambda: self.now, lambda: self.monotonic)
        await made.start()
        yield made
        await made.close()

    def key(self, epoch: int) -> bytes:
        """Return the name of a key of the secret that the tests begin with."""
        return secret(990).ratchet.advanced(epoch).key_material()[:16]


def asynchronous(test: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[Scene], None]:
    """Run a test of a scene in a loop of its own."""

    @wraps(test)
    def run(scene: Scene) -> None:
        asyncio.run(test(scene))

    return run


def encrypts_with(source: RatchetSource, scene: Scene) -> bytes | None:
    """Return the name of the key for new tickets."""
    found = source.table.encryption_key(int(scene.now))
    return None if found is None else found.key.name
