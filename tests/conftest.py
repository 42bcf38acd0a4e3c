"""What tests of several folders share, and what holds for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rehearsal.redis_server import RedisServer

# How long an example takes says something about the machine, not about the program.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a running Redis server of the test's own, on a UNIX socket."""
    with RedisServer(tmp_path / "redis") as running:
        yield running
