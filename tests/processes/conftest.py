"""What the tests of the processes share."""

from collections.abc import Iterator

import pytest

from rehearsal.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox, and end whatever still runs in it."""
    with Sandbox() as made:
        yield made
