"""What tests of several folders share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.redis_server import RedisServer


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a running Redis server of the test's own, on a UNIX socket."""
    with RedisServer(tmp_path / "redis") as running:
        yield running
