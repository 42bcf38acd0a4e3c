import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tlsmgr.errors import ExitCode, GivenUpError, HostError
from tlsmgr.processes.crash_record import (
    CRASHES,
    REST_SECONDS,
    WITHIN_SECONDS,
    Crash,
    CrashRecord,
    Past,
    why_given_up,
)

NOW = 1_800_000_000.0
_NAME = "expiry-sweeper"


def _crashed(times: int, *, last: float = NOW) -> Past:
    return Past(crashes=tuple(Crash(at=last - each, reason="r") for each in reversed(range(times))))


def _read(text: str, *, written_at: float = NOW) -> Past:
    return Past.parse(text, written_at=written_at, now=NOW, counts_from=1.0)


def _begin(directory: Path) -> CrashRecord:
    return CrashRecord.begin(directory, _NAME, counts_from=0.0)


def test_what_a_process_wrote_behind_its_start_is_its_crash() -> None:
    """By the time of the file: whoever crashes by a signal can write no time."""
    (crash,) = _read(f'start {NOW - 5}\nFatal Python error: Aborted\n\n  File "a.py", line 3 in f\n').crashes

    assert crash == Crash(at=NOW, reason='Fatal Python error: Aborted, File "a.py", line 3 in f')


def test_a_process_that_was_killed_has_not_crashed() -> None:
    """It wrote nothing behind its start."""
    assert _read(f"start {NOW - 5}\n").crashes == ()


def test_a_crash_that_supervisord_counts_is_not_counted_twice() -> None:
    """Or who mends the cause of a failed start would be given up at the second try."""
    assert _read(f"start {NOW - 0.9}\nHostError\n").crashes == ()
    assert len(_read(f"start {NOW - 1}\nHostError\n").crashes) == 1


def test_crashes_of_long_ago_do_not_count() -> None:
    """Nor do those that a clock which was set back shows in the future."""
    old, future = f"crash {NOW - WITHIN_SECONDS - 1} x\n", f"crash {NOW + 1} x\n"

    assert _read(old + future + f"crash {NOW - 1} x\n").crashes == (Crash(at=NOW - 1, reason="x"),)


def test_too_many_crashes_make_a_rest_and_then_a_new_beginning() -> None:
    """It rests from the first start on that comes after them."""
    assert _crashed(CRASHES - 1).at_start(NOW).resting_since is None
    resting = _crashed(CRASHES).at_start(NOW)
    assert resting.resting_since == NOW
    assert resting.at_start(NOW + REST_SECONDS - 1) == resting
    assert resting.at_start(NOW + REST_SECONDS) == Past()


def test_it_is_said_for_as_long_as_nobody_starts_it() -> None:
    """Also a day later, with the crashes that led to it."""
    text = _crashed(CRASHES).at_start(NOW).text()
    past = Past.parse(text, written_at=NOW, now=NOW + 86400, counts_from=1.0)

    assert past.resting_since == NOW
    assert len(past.crashes) == CRASHES
    assert past.at_start(NOW + 86400) == Past()


@given(st.integers(0, CRASHES), st.booleans())
def test_a_record_is_read_as_it_was_written(times: int, rests: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """All of it, resting or not."""
    past = Past(crashes=_crashed(times).crashes, resting_since=NOW if rests else None)

    assert _read(past.text()) == past


@given(
    st.text()
    | st.lists(st.sampled_from(["crash", "resting", "start", " ", "1e999", "nan", "1", "\n"])).map("".join)
)
def test_what_is_no_record_says_little(text: str) -> None:
    """Whatever is in the file, it is never more than is counted, and it can be written again."""
    past = _read(text)

    assert len(past.crashes) <= CRASHES
    assert all(each.reason.isprintable() for each in past.crashes)
    assert _read(past.text()).crashes == past.crashes


def test_errors_are_noted_and_what_others_say_is_not(tmp_path: Path) -> None:
    """The words of an error that is not ours may be a request's; of ours, they are the reason."""
    for error in (HostError("no disk"), ValueError("secret")):
        with pytest.raises(type(error)), _begin(tmp_path):
            raise error
    text = (tmp_path / f"{_NAME}.crashes").read_text()

    assert "no disk" in text
    assert "ValueError" in text
    assert "secret" not in text


def test_a_worker_that_crashed_too_often_is_given_up_until_it_has_rested(tmp_path: Path) -> None:
    """It says why, to whoever starts it and to whoever asks; without its record it begins anew."""
    for _ in range(CRASHES):
        assert why_given_up(tmp_path, _NAME) == ""
        with pytest.raises(HostError), _begin(tmp_path):
            raise HostError("no disk")
    for _ in range(3):
        with pytest.raises(GivenUpError, match=r"crashed 10 times.*by: no disk; given up"):
            _begin(tmp_path)
    assert "no disk" in why_given_up(tmp_path, _NAME)

    (tmp_path / f"{_NAME}.crashes").unlink()

    with _begin(tmp_path):
        assert why_given_up(tmp_path, _NAME) == ""


def test_a_symbolic_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Neither for reading nor for writing, under both of its names."""
    victim = tmp_path / "victim"
    victim.write_text("".join(f"crash {NOW} x\n" for _ in range(CRASHES)))
    for name in (f"{_NAME}.crashes", f"{_NAME}.crashes.new"):
        (tmp_path / name).symlink_to(victim)
    before = victim.read_text()

    with _begin(tmp_path):
        record = (tmp_path / f"{_NAME}.crashes").lstat()

    assert stat.S_ISREG(record.st_mode)
    assert stat.S_IMODE(record.st_mode) == 0o600
    assert victim.read_text() == before


def test_a_record_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What serves is worth more than what is counted."""
    with _begin(tmp_path / "missing"):
        pass

    assert "crashes are not counted" in caplog.text


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a sandbox."""
    with Sandbox() as made:
        yield made


def _settled(worker: RunningWorker, sandbox: Sandbox) -> None:
    """Return when its crash will count: by the time of a file, which is behind the clock by up to a tick."""
    started = float((sandbox.run / f"{_NAME}.crashes").read_text().split()[-1])
    wait_for("second", lambda: time.time() >= started + 1.05, evidence=lambda: worker.log)


@pytest.mark.system
def test_a_signal_that_ends_a_worker_is_noted_with_its_place(sandbox: Sandbox) -> None:
    """And one that kills it is not; a record of crashes is not lost by either."""
    for number in (signal.SIGSEGV, signal.SIGKILL):
        worker = sandbox.start(_NAME)
        _settled(worker, sandbox)
        worker.signal(number)
        assert worker.wait() == -number

    sandbox.start(_NAME)

    (line,) = [
        each for each in (sandbox.run / f"{_NAME}.crashes").read_text().splitlines() if "crash" in each
    ]
    assert "Segmentation fault, File" in line


@pytest.mark.system
def test_a_worker_that_is_given_up_ends_with_a_code_of_its_own(sandbox: Sandbox) -> None:
    """And at once, so that supervisord counts it."""
    sandbox.start(_NAME).stop()
    crashes = "".join(f"crash {time.time()} x\n" for _ in range(CRASHES))
    record = sandbox.run / f"{_NAME}.crashes"
    record.write_text(crashes)
    os.chown(record, *(sandbox.run.stat().st_uid, sandbox.run.stat().st_gid))

    worker = sandbox.launch(_NAME)

    assert worker.wait() == ExitCode.GIVEN_UP
    assert "given up: mend that" in worker.log
    done = sandbox.command("ping", _NAME)
    assert (done.returncode, b"GIVEN UP: crashed 10 times" in done.stdout) == (ExitCode.UNAVAILABLE, True)
