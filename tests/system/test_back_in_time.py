"""A worker that is killed under load is back within a start-up of its own and a second.

The promise is 1.5 s, on a machine with nothing else to do: ``scripts/torture`` holds us to that, and
docs/reliability.md has its result. How long a start takes depends on the machine and on what else it
does. So here starts are timed in the same run, beside the same load, and what supervision adds to one is
what is tested.
"""

import asyncio
import random
import statistics
import time

import pytest

from rehearsal.load import Tally, clients
from rehearsal.sandbox import Sandbox
from rehearsal.workers import Workers
from tlsmgr.cli.workers import WORKERS
from torturing.killing import Killer

pytestmark = pytest.mark.system

_KILLS = 6
_SEED = 1
#: supervisord is told of a worker's end at once, starts the next one, and looks at a socket in between.
_ADDED_SECONDS = 1.0


def _start_up_seconds() -> list[float]:
    """Start each worker once, with nobody's help, in a sandbox beside the one under load."""
    with Sandbox() as sandbox:
        return [_seconds_of_start(sandbox, name) for name in WORKERS]


def _seconds_of_start(sandbox: Sandbox, name: str) -> float:
    began = time.monotonic()
    sandbox.start(name)
    return time.monotonic() - began


async def _missed_and_starts(sandbox: Sandbox) -> tuple[list[float], list[float]]:
    """Return the seconds for which each killed worker was missed, and those that starts took meanwhile."""
    tally, stopped = Tally(), asyncio.Event()
    killer = Killer(sandbox, random.Random(_SEED))  # noqa: S311 - to be repeated by its seed
    load = clients(sandbox, tally, _SEED, count=4, keys=60, lives=killer.lives, pause=0.002)
    async with asyncio.TaskGroup() as group:
        for client in load:
            group.create_task(client.run(stopped))
        starts = await asyncio.to_thread(_start_up_seconds)
        await killer.kill(_KILLS)
        starts += await asyncio.to_thread(_start_up_seconds)
        stopped.set()
    for client in load:
        client.close()
    assert killer.deaths.complaints == []
    assert tally.complaints == []
    return [seconds for times in killer.deaths.missed.values() for seconds in times], starts


def test_a_worker_that_is_killed_under_load_is_back_within_a_start_and_a_second() -> None:
    """Mostly so; and each within two of the longest starts, as a busy host may hold up any one of them."""
    with Sandbox() as sandbox, Workers(sandbox.root / "s", config_directory=sandbox.etc):
        missed, starts = asyncio.run(_missed_and_starts(sandbox))
    said = f"missed for {missed} s, starts took {starts} s"
    assert len(missed) == _KILLS
    assert statistics.median(missed) < max(starts) + _ADDED_SECONDS, said
    assert max(missed) < 2 * max(starts) + _ADDED_SECONDS, said
