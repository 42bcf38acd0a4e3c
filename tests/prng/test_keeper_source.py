import asyncio
import math
import os
from pathlib import Path

import pytest

from tests.prng.kept import Clock, ScriptedSource, at_each, keeper, living, warnings
from tests.prng.loops import Run
from tlsmgr.prng.schedule import LONGEST_RETRY
from tlsmgr.prng.sources import parse_source


def test_a_source_that_cannot_be_opened_is_tried_again_and_service_goes_on(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, run: Run[None]
) -> None:
    """With a back-off of 1, 2, 4, ... seconds, and a warning each time; it heals by itself."""
    clock, device = Clock(), tmp_path / "device"
    with living(keeper(source=parse_source(f"dev:{device}"), clock=clock), run) as kept:
        kept.open_source()
        run(at_each(kept, clock, [1000.0, 1001.0, 1002.0, 1003.0]))
        assert kept.statistics().source_failures == 3
        assert kept.statistics().source_state == "failing"
        assert len(kept.seed(32)) == 32
        device.symlink_to("/dev/urandom")
        run(at_each(kept, clock, [1007.0]))
        assert kept.statistics().source_state == "good"
        assert kept.statistics().pool.entropy_bytes == 32
    assert [text.rsplit(", ", 1)[1] for text in warnings(caplog)] == [
        "next try in 1 s",
        "next try in 2 s",
        "next try in 4 s",
    ]
    assert f"cannot open entropy source dev:{device}: No such file or directory" in warnings(caplog)[0]
    assert "is good again" in caplog.text


def test_a_source_that_fails_is_opened_anew(run: Run[None]) -> None:
    """Once after each failure, and not after a success."""
    clock, source = Clock(), ScriptedSource("broken", "broken", b"\x01" + bytes(range(31)))
    with living(keeper(source=source, clock=clock), run) as kept:
        kept.open_source()
        run(at_each(kept, clock, [1000.0, 1001.0, 1003.0, 9000.0]))
        assert source.openings == 3
        assert (kept.statistics().source_failures, kept.statistics().source_reads) == (2, 2)
    assert not source.is_open


def test_a_dead_source_is_tried_every_five_minutes_for_ever(run: Run[None]) -> None:
    """The waits do not grow beyond that."""
    clock, source = Clock(), ScriptedSource(*["dead"] * 50)
    with living(keeper(source=source, clock=clock), run) as kept:
        for _ in range(50):
            clock.now += kept.due()
            run(kept.do_what_is_due())
        assert kept.due() == LONGEST_RETRY
        assert kept.statistics().source_failures == 50


def test_a_stuck_source_raises_an_alarm_and_counts_as_no_entropy(
    caplog: pytest.LogCaptureFixture, run: Run[None]
) -> None:
    """/dev/zero: its bytes are stirred in, and the statistics and the log say so."""
    clock = Clock()
    with living(keeper(source=parse_source("dev:/dev/zero"), clock=clock), run) as kept:
        run(at_each(kept, clock, [1000.0, 9000.0]))
        figures = kept.statistics()
    assert (figures.source_state, figures.source_alarms, figures.source_reads) == ("alarm", 2, 2)
    assert (figures.pool.entropy_bytes, figures.pool.stirs, figures.pool.reseeds) == (0, 2, 0)
    assert "dev:/dev/zero fails its health tests (one byte comes many times in a row" in warnings(caplog)[0]
    assert "a whole block was served again" in warnings(caplog)[1]


def test_a_block_served_again_is_stirred_in_and_a_new_one_makes_good(
    caplog: pytest.LogCaptureFixture, run: Run[None]
) -> None:
    """The repeated block has its effect, but no credit."""
    block, other = bytes(range(32)), bytes(range(32, 64))
    clock, source = Clock(), ScriptedSource(block, block, other)
    with living(keeper(source=source, clock=clock), run) as kept:
        run(at_each(kept, clock, [1000.0, 9000.0]))
        assert kept.statistics().pool.entropy_bytes == 32
        assert kept.statistics().pool.stirs == 1
        run(at_each(kept, clock, [20000.0]))
        assert kept.statistics().pool.entropy_bytes == 64
        assert kept.statistics().source_state == "good"
    assert "is good again" in caplog.text


def test_a_plain_file_is_read_once(tmp_path: Path, run: Run[None]) -> None:
    """Then there is nothing more to do."""
    entropy, clock = tmp_path / "entropy", Clock()
    entropy.write_bytes(bytes(range(100)))
    with living(keeper(source=parse_source(str(entropy)), clock=clock), run) as kept:
        kept.open_source()
        run(at_each(kept, clock, [1000.0, 9000.0]))
        assert kept.statistics().source_state == "spent"
        assert kept.statistics().pool.entropy_bytes == 32
        assert kept.due() == math.inf


def test_a_stuck_source_does_not_hold_up_service(path: Path, tmp_path: Path, run: Run[None]) -> None:
    """While a FIFO without a writer is read, seeds are given out and the loop turns."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def check() -> None:
        kept = keeper(source=parse_source(f"dev:{fifo}"), path=path)
        running = asyncio.ensure_future(kept.run())
        for _ in range(10):
            await asyncio.sleep(0)
            assert len(kept.seed(32)) == 32
        assert kept.statistics().source_reads == 0
        running.cancel()
        assert await asyncio.gather(running, return_exceptions=True)
        await kept.close()

    run(check())
    assert path.stat().st_size == 1024
