import asyncio
from collections.abc import Awaitable, Callable
from threading import Event

import pytest
import uvloop

from tlsmgr.errors import HostError
from tlsmgr.service.durable_file import DurableFile


class Disk:
    """One that takes its time: until it may go on."""

    def __init__(self) -> None:
        self.may_go_on = Event()
        self.is_full = False
        self.syncs = 0

    def sync(self) -> None:
        """Bring all to the disk."""
        self.may_go_on.wait(10.0)
        self.syncs += 1
        if self.is_full:
            raise HostError("the disk is full")


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
        disk.is_full = True
        file.was_replaced()
        assert await file.settled() == await file.settled() == "the disk is full"
        disk.is_full = False
        file.was_replaced()
        assert await file.settled() == ""

    _with_disk(work)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
