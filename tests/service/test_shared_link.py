"""What watches a store, whatever it meets: it never ends before it is told to."""

from pathlib import Path

import uvloop

from rehearsal.redis_server import RedisServer
from tests.service.farm_host import FarmHost
from tests.transport.lines import until


class _Once:
    """A callback with a defect that shows itself once."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        """Raise something at the first call."""
        self.calls += 1
        if self.calls == 1:
            raise ValueError("a defect")


def test_a_defect_does_not_end_the_probes(tmp_path: Path, redis_server: RedisServer) -> None:
    """The store is found again the next time that it comes back."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            defect = _Once()
            host.link.when_it_works(defect)
            for _ in range(2):
                redis_server.kill()
                while host.link.lets_pass:
                    await host.mark.refresh()
                redis_server.start()
                await until(lambda: host.link.lets_pass)
            assert defect.calls == 2

    uvloop.run(run())


def test_a_defect_does_not_end_the_looks_at_the_mark(tmp_path: Path, redis_server: RedisServer) -> None:
    """What another host revokes afterwards is heard of."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            defect = _Once()
            host.mark.when_known(defect)
            host.mark.at_least(1)  # which has it look
            await until(lambda: defect.calls == 1)
            host.mark.at_least(2)
            await until(lambda: defect.calls == 2)

    uvloop.run(run())


def test_a_link_that_was_closed_asks_no_more(tmp_path: Path, redis_server: RedisServer) -> None:
    """Nothing would ever close what it opened."""

    async def run() -> None:
        async with FarmHost(tmp_path / "a", redis_server.url) as host:
            await host.link.close()
            assert "not used any more" in await host.mark.refresh()

    uvloop.run(run())
