"""Which processors the servers and the load get: the same for every server that is compared.

With one connection a request goes to and fro between two processes, one of which always waits.
On two processors each wakes the other's, which is idle and, in a virtual machine, halted: that
costs more than the request. So what is measured then is where the scheduler happened to put
them, unless they are put.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path


class Placement(Enum):
    """Where the processes run."""

    TOGETHER = "together"  #: The servers and the load on one processor.
    APART = "apart"  #: All processes of a server on one processor, the load on another.
    FREE = "free"  #: As the scheduler likes.


def usual(connections: int) -> Placement:
    """Return the placement for that many connections: together for one, whose ends take turns."""
    return Placement.TOGETHER if connections == 1 else Placement.APART


@contextmanager
def placed(servers: Iterable[int], placement: Placement) -> Iterator[None]:
    """Put the servers' processes, and this one with all that it starts in the block, in their places.

    The servers stay there; this process gets its own processors back.
    """
    allowed = os.sched_getaffinity(0)
    first, last = min(allowed), max(allowed)
    everywhere = placement is Placement.FREE
    for process in servers:
        _confine(process, allowed if everywhere else {first})
    os.sched_setaffinity(0, allowed if everywhere else {first if placement is Placement.TOGETHER else last})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _confine(process: int, processors: set[int]) -> None:
    with suppress(FileNotFoundError, ProcessLookupError):  # it, or one of its threads, has ended
        for thread in Path(f"/proc/{process}/task").iterdir():
            os.sched_setaffinity(int(thread.name), processors)
