import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from tests.transport.lines import until
from tlsmgr.errors import HostError
from tlsmgr.service import durable_file
from tlsmgr.service.durable_file import DurableFile

HANGS_SECONDS = 20.0


class Disk:
    """One that takes its time: until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.failure: Exception | None = None
        self.syncs = 0

    def sync(self) -> None:
        """Bring all to the disk."""
        self.may_go_on.wait(HANGS_SECONDS)
        self.syncs += 1
        if self.failure is not None:
            raise self.failure


def _with_disk(work: Callable[[DurableFile, Disk], Awaitable[None]]) -> None:
    async def run() -> None:
        disk = Disk()
        await work(DurableFile(disk.sync), disk)

    uvloop.run(run())


def test_the_event_loop_goes_on_while_the_disk_takes_its_time() -> None:
    """Who needs to know waits, and what was replaced meanwhile is brought to the disk as well, once."""

    async def work(file: DurableFile, disk: Disk) -> None:
        assert await file.settled() == ""
        file.was_replaced()
        waiting = asyncio.ensure_future(file.settled())
        await asyncio.sleep(0.01)
        for _ in range(5):
            file.was_replaced()
        assert not waiting.done()
        disk.may_go_on.set()
        assert await waiting == ""
        assert disk.syncs == 2

    _with_disk(work)


def test_who_stops_waiting_does_not_end_the_work() -> None:
    """As a client that asked for a revocation and went away."""

    async def work(file: DurableFile, disk: Disk) -> None:
        file.was_replaced()
        waiting = asyncio.ensure_future(file.settled())
        await asyncio.sleep(0)
        waiting.cancel()
        disk.may_go_on.set()
        assert await file.settled() == ""
        assert disk.syncs == 1

    _with_disk(work)


def test_a_disk_that_fails_is_told_of_until_it_works(caplog: pytest.LogCaptureFixture) -> None:
    """In the log, and to whoever waits."""

    async def work(file: DurableFile, disk: Disk) -> None:
        disk.may_go_on.set()
        disk.failure = HostError("the disk is full")
        file.was_replaced()
        assert await file.settled() == await file.settled() == "the disk is full"
        disk.failure = None
        file.was_replaced()
        assert await file.settled() == ""

    _with_disk(work)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_disk_that_failed_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it has taken what was saved, without another change; told once, and once when it has."""
    caplog.set_level("INFO")
    monkeypatch.setattr(durable_file, "_RETRY_SECONDS", 0.001)

    async def work(file: DurableFile, disk: Disk) -> None:
        disk.may_go_on.set()
        disk.failure = HostError("the disk is full")
        file.was_replaced()
        await until(lambda: disk.syncs > 3)
        assert await file.settled() == "the disk is full"
        disk.failure = None
        await until(lambda: "on the disk now" in caplog.text)
        assert await file.settled() == ""

    _with_disk(work)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_defect_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown as any thread's, and the next change is tried all the same."""
    shown: list[object] = []
    seen = threading.Event()
    defect = ValueError("defect")

    def show(arguments: threading.ExceptHookArgs) -> None:
        shown.append(arguments.exc_value)
        seen.set()

    monkeypatch.setattr(threading, "excepthook", show)

    async def work(file: DurableFile, disk: Disk) -> None:
        disk.may_go_on.set()
        disk.failure = defect
        file.was_replaced()
        assert "has failed" in await file.settled()
        assert await asyncio.to_thread(seen.wait, HANGS_SECONDS)
        disk.failure = None
        file.was_replaced()
        assert await file.settled() == ""

    _with_disk(work)
    assert shown == [defect]


def test_without_a_thread_nothing_is_said_to_be_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may have none to give."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work(file: DurableFile, disk: Disk) -> None:
        disk.may_go_on.set()
        with monkeypatch.context() as context:
            context.setattr(threading.Thread, "start", refuse)
            file.was_replaced()
            assert await file.settled() == "can't start new thread"
        file.was_replaced()
        assert await file.settled() == ""

    _with_disk(work)


def test_a_disk_that_hangs_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Not by who waits for longer than 3 s, and not by the loop when it ends."""

    async def work(file: DurableFile, _: Disk) -> None:
        file.was_replaced()
        assert await file.settled() == "the disk has not taken it within 3 s"

    began = time.monotonic()
    _with_disk(work)
    assert 2.9 < time.monotonic() - began < HANGS_SECONDS
    assert "may not survive the machine" in caplog.text
