"""Runs coroutines in each of the two event loops that the sources must work in."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

import uvloop

T = TypeVar("T")
Run = Callable[[Coroutine[object, object, T]], T]

SHORT = 0.05  # seconds: the time limit where a test waits for it to be over


def run_asyncio(work: Coroutine[object, object, T]) -> T:
    """Run the work in the event loop of the standard library."""
    return asyncio.run(work)


def run_uvloop(work: Coroutine[object, object, T]) -> T:
    """Run the work in the event loop that the workers use."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
