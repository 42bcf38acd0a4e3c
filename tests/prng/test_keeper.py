import asyncio
import logging
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prng.exchange import OLD
from tests.prng.kept import INTERVALS, Clock, ScriptedSource, at_each, keeper, living, until, warnings
from tests.prng.loops import Run
from tlsmgr.prng.keeper import Intervals, KeeperStatistics
from tlsmgr.prng.pool import KernelRandomError, Pool
from tlsmgr.prng.schedule import SHORTEST_DELAY
from tlsmgr.prng.sources import parse_source


def test_without_a_source_the_two_warnings_of_postfix_are_given(
    caplog: pytest.LogCaptureFixture, run: Run[None]
) -> None:
    """Word by word, so that what watches Postfix's log goes on to work."""
    with living(keeper(), run) as kept:
        kept.open_source()
        run(kept.do_what_is_due())
        assert kept.due() == math.inf
        assert kept.statistics().source_state == "none"
        assert len(kept.seed(32)) == 32
    assert warnings(caplog) == [
        "no entropy source specified with parameter tls_random_source",
        "encryption keys etc. may be predictable",
    ]


def test_at_the_start_the_source_and_the_exchange_file_go_in(path: Path, run: Run[None]) -> None:
    """At once, and the file has fresh bytes afterwards."""
    path.write_bytes(OLD)
    with living(keeper(source=parse_source("dev:/dev/urandom"), path=path), run) as kept:
        kept.open_source()
        assert kept.due() == 0
        run(kept.do_what_is_due())
        assert kept.due() >= SHORTEST_DELAY
        figures = kept.statistics()
    assert path.read_bytes() != OLD
    assert (figures.source, figures.source_state, figures.source_reads) == ("dev:/dev/urandom", "good", 1)
    assert (figures.exchange_updates, figures.exchange_failures) == (1, 0)
    assert (figures.pool.entropy_bytes, figures.pool.stirs, figures.pool.requests) == (32, 1, 0)


def test_nothing_is_done_before_its_time(path: Path, run: Run[None]) -> None:
    """Asked again and again, it reads and writes once."""
    clock = Clock()
    with living(keeper(source=ScriptedSource(), path=path, clock=clock), run) as kept:
        run(at_each(kept, clock, [1000.0, 1000.0, 1000.9]))
        assert kept.statistics().source_reads == 1
        assert kept.statistics().exchange_updates == 1


@given(st.lists(st.floats(0, 4000), max_size=10))
def test_intervals_are_within_their_periods(steps: list[float]) -> None:
    """Never below a second, never above the period, however the clock goes."""

    async def check() -> None:
        clock = Clock()
        kept = keeper(source=ScriptedSource(), clock=clock)
        for step in steps:
            clock.now += step
            await kept.do_what_is_due()
            assert 0 < kept.due() <= INTERVALS.reseed_period
        await kept.close()

    asyncio.run(check())


def test_both_are_done_within_their_periods(path: Path, run: Run[None]) -> None:
    """After an hour at the latest the source, after half an hour the file."""
    clock = Clock()
    with living(keeper(source=ScriptedSource(), path=path, clock=clock), run) as kept:
        run(at_each(kept, clock, [1000.0 + 3600 * i for i in range(4)]))
        assert kept.statistics().source_reads == 4
        assert kept.statistics().exchange_updates == 4


def test_other_intervals_hold_from_the_next_wait_on(run: Run[None]) -> None:
    """As after a reload."""
    clock, source = Clock(), ScriptedSource()
    with living(keeper(source=source, clock=clock), run) as kept:
        kept.set_intervals(Intervals(source_bytes=8, reseed_period=2, update_period=2))
        run(at_each(kept, clock, [1000.0, 1002.0, 1004.0]))
        assert kept.statistics().pool.entropy_bytes == 24


def test_it_runs_until_it_is_cancelled(path: Path, run: Run[None]) -> None:
    """By itself it reads, saves, and waits."""

    async def check() -> None:
        kept = keeper(source=parse_source("dev:/dev/urandom"), path=path)
        running = asyncio.ensure_future(kept.run())
        await until(lambda: kept.statistics().exchange_updates == 1)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await kept.close()
        assert kept.statistics().exchange_updates == 2

    run(check())


def test_a_failing_kernel_is_told_to_who_asks_and_stops_nothing_else(
    caplog: pytest.LogCaptureFixture, path: Path, run: Run[None]
) -> None:
    """Neither the file nor the schedule suffers, and it heals."""
    path.write_bytes(OLD)
    working = [True]

    def kernel(size: int) -> bytes:
        if not working[0]:
            raise OSError(24, "Too many open files")
        return os.urandom(size)

    clock = Clock()
    with living(
        keeper(source=ScriptedSource(), path=path, clock=clock, pool=Pool(kernel=kernel)), run
    ) as kept:
        working[0] = False
        run(kept.do_what_is_due())
        with pytest.raises(KernelRandomError):
            kept.seed(32)
        assert path.read_bytes() == OLD
        working[0] = True
        run(at_each(kept, clock, [1001.0]))
        assert kept.statistics().source_state == "good"
    assert path.read_bytes() != OLD
    assert "Too many open files" in caplog.text


def test_seeds_out_of_blocks_count_one_by_one(run: Run[None]) -> None:
    """A block is no request; each seed out of it is, and when it was asked for is stirred in."""
    with living(keeper(), run) as kept:
        assert len(kept.block(1024, served=0, times=b"")) == 1024
        kept.block(1024, served=30, times=b"")
        kept.seed(32)
        kept.stir(b"digest")
        assert kept.statistics().pool.requests == 31
        assert kept.statistics().pool.stirs == 3


def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture, path: Path, run: Run[None]) -> None:
    """Neither what the source gave, nor what was saved, in any of the usual notations."""
    caplog.set_level(logging.DEBUG)
    secret = b"sixteen secrets!"
    path.write_bytes(secret * 64)
    clock = Clock()
    kept = keeper(source=ScriptedSource(secret * 2, secret * 2), path=path, clock=clock)
    run(at_each(kept, clock, [1000.0, 9000.0]))
    shown = caplog.text + repr(kept.statistics()) + repr(kept)
    run(kept.close())
    assert "health tests" in shown
    for notation in (secret.decode(), secret.hex(), str(list(secret))[1:-1]):
        assert notation not in shown


def test_statistics_are_a_value() -> None:
    """Two readings without anything between are equal."""
    kept = keeper()
    assert isinstance(kept.statistics(), KeeperStatistics)
    assert kept.statistics() == kept.statistics()
