"""Waiting for something to become true, with a limit instead of a fixed pause."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

POLL_INTERVAL = 0.01


def wait_until(
    condition: Callable[[], _T | None],
    *,
    seconds: float,
    what: str,
    evidence: Callable[[], str] = lambda: "",
) -> _T:
    """Call ``condition`` until it gives something true, and return that.

    Raises:
        AssertionError: ``seconds`` went by without it; the message names ``what``
            was awaited and shows the ``evidence``, which is asked for only then.
    """
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s\n{evidence()}")
        time.sleep(POLL_INTERVAL)
