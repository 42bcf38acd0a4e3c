"""The command ``tlsmgr`` on an event loop that notes its long turns: run as a module, by a test.

Of each turn that took some CPU time a line is written to the file that ``LOOP_TURNS`` names: when
it ended on the monotonic clock, and the seconds of CPU time that the loop's thread spent in it.
That is what the turn itself costs, whoever else uses the processor.
"""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from typing import Any

import uvloop

from tlsmgr.cli import main

_WORTH_A_LINE = 0.0002


class MeasuredLoop(asyncio.SelectorEventLoop):
    """Python's own loop, since uvloop does not show its turns."""

    def __init__(self) -> None:
        super().__init__()
        self._notes = os.open(os.environ["LOOP_TURNS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _run_once(self) -> None:
        began = time.thread_time()  # waiting for events costs none
        super()._run_once()  # type: ignore[misc]  # typeshed does not know it
        spent = time.thread_time() - began
        if spent >= _WORTH_A_LINE:
            os.write(self._notes, b"%.6f %.6f\n" % (time.monotonic(), spent))


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=MeasuredLoop) as runner:
        runner.run(coroutine)


if __name__ == "__main__":
    uvloop.run = _run  # type: ignore[assignment]  # the workers call nothing else of it
    sys.exit(main())
