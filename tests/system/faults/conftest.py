"""What the tests of the fault matrix share."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The workers that answer Postfix, as they run."""

    sandbox: Sandbox
    cache_server: RunningWorker
    prng_server: RunningWorker


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Run the two workers that answer Postfix; each test leaves them as it found them."""
    with Sandbox() as sandbox:
        prng_server = sandbox.start("prng-server")
        yield Served(sandbox=sandbox, cache_server=sandbox.start("cache-server"), prng_server=prng_server)
