"""Waiting for something to become true, with a limit instead of a fixed pause."""

import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")

_POLL_SECONDS = 0.01


class NotInTimeError(AssertionError):
    """What was awaited did not come."""


def wait_for(
    what: str,
    condition: Callable[[], _Value | None],
    *,
    seconds: float = 15.0,
    evidence: Callable[[], str] = lambda: "",
) -> _Value:
    """Call ``condition`` until it gives something true, and return that.

    Raises:
        NotInTimeError: ``seconds`` went by without it; the message names ``what`` was
            awaited and shows the ``evidence``, which is asked for only then.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NotInTimeError(f"no {what} within {seconds:g} s\n{evidence()}")
        time.sleep(_POLL_SECONDS)
    return value
