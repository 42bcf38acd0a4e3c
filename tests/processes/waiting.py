"""Waiting for something to become true, with a deadline instead of a fixed pause."""

import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")

_POLL_SECONDS = 0.01


def wait_for(what: str, condition: Callable[[], _Value | None], *, seconds: float = 15.0) -> _Value:
    """Call ``condition`` until it gives something true, and return that.

    Raises:
        AssertionError: ``what`` did not come within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"no {what} within {seconds:g} s"
        time.sleep(_POLL_SECONDS)
    return value
