"""Remove all expired sessions now, whether the workers run or not."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import StoreError
from tlsmgr.processes.stores import store_directories
from tlsmgr.service.swept_cache import SweptCache
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.upkeep.job import Job, call, run, runs

_WORKER = "expiry-sweeper"
# A sweep of a full cache takes its time.
_SWEEP_SECONDS = 3600.0
_OPEN_WAIT_SECONDS = 2.0


def _carry_out(settings: Settings, _: argparse.Namespace) -> Iterator[str]:
    if runs(settings, _WORKER):
        yield from _failures(call(settings, _WORKER, "sweep", _SWEEP_SECONDS))
        return
    for cache_type, directory in store_directories(settings).items():
        if directory.exists():
            try:
                asyncio.run(_sweep(cache_type.value, directory, settings.caches[cache_type].timeout))
            except StoreError as error:
                yield f"cache {cache_type.value} was not swept: {error}"


def _failures(answer: dict[str, object]) -> Iterator[str]:
    failures = answer.get("failures")
    if isinstance(failures, dict):
        for cache, reason in failures.items():
            yield f"cache {cache} was not swept: {reason}"


async def _sweep(label: str, directory: Path, lifetime: int) -> None:
    # As the sweeper itself does it: in steps, never moving the log that the cache server moves.
    opener = partial(SessionStore, directory, checkpoints=False, open_wait=_OPEN_WAIT_SECONDS)
    cache = SweptCache(label, lifetime, opener, time.time, _forget)
    try:
        await cache.sweep()
    finally:
        await cache.close()


def _forget(cache_id: bytes) -> None:
    """Stir nothing in: the pool may not be there."""


JOB = Job(name="sweep-now", description="Remove all expired TLS sessions now.", carry_out=_carry_out)

if __name__ == "__main__":
    sys.exit(run(JOB))
