"""Changes of where a farm's ticket keys come from, one after the other."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from tests.config.files import write_configuration
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.farm.key_table import EMPTY_TABLE, KeyTable
from tlsmgr.processes.farm_source import FarmSources
from tlsmgr.sealing.sealer import Sealer
from tlsmgr.service.farm_keys import FarmKeySource
from tlsmgr.service.sharing import Sharing
from tlsmgr.service.ticket_keys import TicketKeys


class _TicketKeys:
    farm: FarmKeySource | None = None


class _Source:
    """Tells what it was told to do; while it is in use, its end takes until the gate is open."""

    table: KeyTable = EMPTY_TABLE

    def __init__(self, name: str, told: list[str], gate: asyncio.Event, *, fails: bool = False) -> None:
        self.name = name
        self._told = told
        self._gate = gate
        self._fails = fails
        self._is_in_use = False

    async def start(self) -> None:
        self._told.append(f"start {self.name}")
        self._is_in_use = True

    async def close(self) -> None:
        if self._is_in_use:
            await self._gate.wait()
        self._told.append(f"close {self.name}")
        if self._fails:
            raise ZeroDivisionError


class _Sources(FarmSources):
    """Has these sources, one after the other, whatever the configuration names."""

    def __init__(self, sources: list[_Source]) -> None:
        self.keys = _TicketKeys()
        super().__init__(cast("TicketKeys", self.keys), cast("Sharing", None), bytes, cast("Sealer", None))
        self._sources = iter(sources)

    def _made(self, settings: Settings) -> FarmKeySource | None:
        assert settings.tlsmgr_ticket_key_source.is_shared
        return cast("FarmKeySource", next(self._sources))


async def _changed(directory: Path, *, fails: bool = False) -> list[str]:
    """Start with one source, change to two others at once, and close; return what they were told."""
    told: list[str] = []
    gate = asyncio.Event()
    sources = _Sources([_Source(name, told, gate, fails=fails) for name in ("first", "second", "third")])
    for number, place in enumerate(("a", "b", "c")):
        write_configuration(directory, f"tlsmgr_ticket_key_source = ratchet:/{place}\n")
        settings = load_settings(directory)
        if number == 0:
            await sources.start(settings)
        else:
            sources.use(settings)
            await asyncio.sleep(0)
    gate.set()
    await sources.close()
    return told


def test_quick_changes_start_each_source_before_it_is_closed(tmp_path: Path) -> None:
    """So that none is left that goes on for ever, with nobody to close it."""
    told = asyncio.run(_changed(tmp_path))
    assert told == [
        "start first",
        "close first",
        "start second",
        "close second",
        "start third",
        "close third",
    ]


def test_a_source_that_does_not_close_keeps_no_other_from_its_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was wrong is in the log."""
    with pytest.raises(ZeroDivisionError):
        asyncio.run(_changed(tmp_path, fails=True))
    assert caplog.text.count("the former source of ticket keys did not close") == 2
