from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared_store.servers import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a running server of the test's own, on a UNIX socket."""
    with RedisServer(tmp_path / "redis") as running:
        yield running
