import asyncio
from pathlib import Path

import pytest

from tests.prng.exchange import FRESH, OLD, read_line, start
from tests.prng.kept import Clock, at_each, keeper, living, until, warnings
from tests.prng.loops import Run
from tlsmgr.prng.pool import Pool


def outputs_after(old: bytes, path: Path, run: Run[None]) -> bytes:
    """Return what a keeper with a fixed kernel, started from that file, saves and gives out."""
    path.write_bytes(old)
    kept = keeper(path=path, pool=Pool(kernel=bytes, clock=lambda: 0, process=lambda: 1))
    run(kept.do_what_is_due())
    saved, seed = path.read_bytes(), kept.seed(255)
    run(kept.close())
    return saved + seed + path.read_bytes()


def test_one_bit_of_the_exchange_file_changes_all_that_follows(path: Path, run: Run[None]) -> None:
    """What is saved, what is given out, and what is saved at the end."""
    first = outputs_after(OLD, path, run)
    assert first == outputs_after(OLD, path, run)
    other = outputs_after(OLD[:-1] + bytes([OLD[-1] ^ 0x80]), path, run)
    assert all(first[i : i + 8] != other[i : i + 8] for i in range(0, len(first) - 7, 8))


def test_two_keepers_from_the_same_file_are_different(path: Path, run: Run[None]) -> None:
    """With the real kernel, even with the same clock and process number."""
    outputs = []
    for _ in range(2):
        path.write_bytes(OLD)
        with living(keeper(path=path, pool=Pool(clock=lambda: 0, process=lambda: 1)), run) as kept:
            run(kept.do_what_is_due())
            outputs.append((path.read_bytes(), kept.seed(32)))
    assert outputs[0][0] != outputs[1][0]
    assert outputs[0][1] != outputs[1][1]


def test_a_locked_exchange_file_is_waited_for_without_stopping(
    caplog: pytest.LogCaptureFixture, path: Path, run: Run[None]
) -> None:
    """A warning and another try after a second; nothing else is held up."""
    path.write_bytes(OLD)
    clock = Clock()
    with living(keeper(path=path, clock=clock), run) as kept:
        with start("postfix_turn", str(path), "flock", "wait") as process:
            assert read_line(process) == "locked\n"
            run(kept.do_what_is_due())
            assert kept.due() == 1
            assert len(kept.seed(32)) == 32
            process.communicate("go\n")
        assert path.read_bytes() == FRESH
        run(at_each(kept, clock, [1001.0]))
        assert path.read_bytes() != FRESH
        assert (kept.statistics().exchange_updates, kept.statistics().exchange_failures) == (1, 1)
    assert "locked by another process; next try in 1 s" in warnings(caplog)[0]
    assert "is updated again" in caplog.text


def test_an_exchange_file_that_cannot_be_used_is_logged_and_service_goes_on(
    caplog: pytest.LogCaptureFixture, path: Path, run: Run[None]
) -> None:
    """A directory that is not there, at the start and at the end."""
    with living(keeper(path=path / "below"), run) as kept:
        run(kept.do_what_is_due())
        assert len(kept.seed(32)) == 32
    assert len(warnings(caplog)) == 2
    assert "check its directory" in warnings(caplog)[0]
    assert "the PRNG's state is not saved" in warnings(caplog)[1]


def test_the_last_save_waits_for_another_holder_of_the_lock(path: Path, run: Run[None]) -> None:
    """Who holds it needs a moment only."""
    path.write_bytes(OLD)

    async def check() -> None:
        kept = keeper(path=path)
        with start("postfix_turn", str(path), "flock", "wait") as process:
            assert read_line(process) == "locked\n"
            closing = asyncio.ensure_future(kept.close())
            await until(lambda: kept.statistics().exchange_failures == 1)
            await asyncio.to_thread(process.communicate, "go\n")
            await closing
        assert kept.statistics().exchange_updates == 1

    run(check())
    assert path.read_bytes() not in (OLD, FRESH)


def test_the_last_save_gives_up_in_the_end(
    caplog: pytest.LogCaptureFixture, path: Path, run: Run[None]
) -> None:
    """Half a second, not for ever: the process has been told to stop."""
    path.write_bytes(OLD)
    with start("postfix_turn", str(path), "flock", "wait") as process:
        assert read_line(process) == "locked\n"
        run(keeper(path=path).close())
        process.communicate("go\n")
    assert path.read_bytes() == FRESH
    assert "locked by another process; the PRNG's state is not saved" in warnings(caplog)[0]
