"""What the tests of the scripts share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from rehearsal.checkout import CHECKOUT
from rehearsal.sandbox import Sandbox
from tests.scripts.supervised import Supervised

Run = Callable[[], tuple[Sandbox, Supervised]]


@pytest.fixture
def run() -> Iterator[Run]:
    """Give a function that starts scripts/run of this checkout on a sandbox of its own."""
    with ExitStack() as stack:

        def start() -> tuple[Sandbox, Supervised]:
            sandbox = stack.enter_context(Sandbox())
            script = CHECKOUT / "scripts/run"
            started = Supervised([script], sandbox.environment, sandbox.root / "output")
            return sandbox, stack.enter_context(started)

        yield start
