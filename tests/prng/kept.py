"""What the tests of the keeper share: a clock, a source that is told what to give, a keeper."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.prng.loops import Run
from tlsmgr.prng.exchange_file import ExchangeFile
from tlsmgr.prng.keeper import Intervals, Keeper
from tlsmgr.prng.pool import Pool
from tlsmgr.prng.sources import Source, SourceError

INTERVALS = Intervals(source_bytes=32, reseed_period=3600, update_period=1800)


class Clock:
    """A monotonic clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class ScriptedSource(Source):
    """A source that gives what a test says, one block or error a reading."""

    def __init__(self, *script: bytes | str) -> None:
        super().__init__("dev:/dev/scripted", "/dev/scripted")
        self.script = list(script)
        self.openings = 0
        self.is_open = False

    def open(self) -> None:
        """Succeed."""
        self.openings += 1
        self.is_open = True

    def close(self) -> None:
        """Remember it."""
        self.is_open = False

    async def _fill(self, received: bytearray, size: int) -> None:
        step = self.script.pop(0) if self.script else os.urandom(size)
        if isinstance(step, str):
            raise SourceError(step)
        received += step


def keeper(
    *,
    source: Source | None = None,
    path: Path | None = None,
    clock: Clock | None = None,
    pool: Pool | None = None,
) -> Keeper:
    """Make a keeper of these."""
    return Keeper(
        pool=pool or Pool(),
        source=source,
        exchange_file=ExchangeFile(path) if path else None,
        intervals=INTERVALS,
        clock=clock or Clock(),
    )


@contextmanager
def living(kept: Keeper, run: Run[None]) -> Iterator[Keeper]:
    """Close the keeper at the end."""
    try:
        yield kept
    finally:
        run(kept.close())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the text of all warnings so far."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def at_each(kept: Keeper, clock: Clock, moments: list[float]) -> None:
    """Do what is due at each of these moments."""
    for moment in moments:
        clock.now = moment
        await kept.do_what_is_due()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")
