"""The ratchet in a cache server: a file, two clocks and a table of keys."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from tests.farm.stolen_state import cipher_keys_within
from tests.farm.test_secret import secret
from tests.service.ratchet_scene import Scene, asynchronous, encrypts_with
from tests.transport.lines import until
from tlsmgr.farm.ratchet import USUAL_PROOF_SECONDS
from tlsmgr.farm.secret import FarmSecret
from tlsmgr.farm.secret_file import SecretFile, Stamp
from tlsmgr.service.ratchet_source import RatchetSource


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Give a directory with a secret that is some epochs old."""
    made = Scene(tmp_path)
    made.put(secret(990))
    return made


@asynchronous
async def test_the_key_is_there_when_the_source_has_started(scene: Scene) -> None:
    """Though the secret is older; it is kept as it is for a minute, lest the clock be wrong."""
    async with scene.source() as source:
        assert encrypts_with(source, scene) == scene.key(1000)
        assert scene.found() == secret(990)
        assert source.figures()["catch_ups"] == 1
        scene.monotonic = 61.0
        await source.tick()
        assert scene.found() == secret(990).at(secret(990).ratchet.advanced(999))
        assert source.figures()["epoch"] == 999
        assert source.figures()["advances"] == 1


@asynchronous
async def test_at_the_change_of_epochs_the_file_goes_along(scene: Scene) -> None:
    """Ten seconds after nobody needs the former key any more, lest the clock be wrong."""
    scene.put(secret(990).at(secret(990).ratchet.advanced(999)))
    async with scene.source() as source:
        scene.now = 60.0 * 1001 + 9
        await source.tick()
        assert encrypts_with(source, scene) == scene.key(1001)
        assert scene.found().ratchet.epoch == 999
        scene.now += 1
        await source.tick()
        assert scene.found().ratchet.epoch == 999
        scene.monotonic += USUAL_PROOF_SECONDS
        await source.tick()
        assert scene.found().ratchet.epoch == 1000
        assert source.figures()["state_age"] == 0.0


@asynchronous
async def test_another_secret_is_taken_over_while_running(scene: Scene) -> None:
    """As tlsmgr farm import puts it there; tickets of the former one are decrypted on."""
    async with scene.source() as source:
        scene.put(secret(999, first=1))
        await source.tick()
        assert source.figures()["fingerprint"] == secret(first=1).fingerprint
        assert encrypts_with(source, scene) not in (scene.key(1000), None)
        assert source.table.find(scene.key(1000), int(scene.now)) is not None


@asynchronous
async def test_an_import_wins_over_an_advance(scene: Scene) -> None:
    """Though it comes between the look at the file and its replacement."""
    scene.put(secret(990).at(secret(990).ratchet.advanced(999)))
    async with scene.source() as source:
        scene.now += 60
        await source.tick()
        scene.monotonic += USUAL_PROOF_SECONDS
        looked = scene.file.stamp()
        scene.put(secret(1000, first=1))
        scene.file.stamp = lambda: looked  # type: ignore[method-assign]
        await source.tick()
        assert scene.found() == secret(1000, first=1)
        del scene.file.stamp
        await source.tick()
        assert source.figures()["fingerprint"] == secret(first=1).fingerprint


@asynchronous
async def test_a_file_that_cannot_be_read_is_read_as_soon_as_it_can(scene: Scene) -> None:
    """Until then there is no key of the farm, and the reason is told."""
    scene.path.chmod(0o644)
    async with scene.source() as source:
        assert encrypts_with(source, scene) is None
        assert "has mode 0644" in source.trouble
        scene.path.chmod(0o600)
        await source.tick()
        assert (source.trouble, encrypts_with(source, scene)) == ("", scene.key(1000))


@asynchronous
async def test_a_file_that_cannot_be_replaced_costs_no_key(scene: Scene) -> None:
    """It is tried again; that keys of former epochs stay in it is a warning."""
    scene.put(secret(990).at(secret(990).ratchet.advanced(999)))
    (scene.directory / "farm.new").mkdir()
    async with scene.source() as source:
        scene.now = 60.0 * 1001 + 10
        await source.tick()
        assert encrypts_with(source, scene) == scene.key(1001)
        scene.monotonic += USUAL_PROOF_SECONDS
        await source.tick()
        assert source.figures()["failures"] == 1
        assert scene.found().ratchet.epoch == 999
        (scene.directory / "farm.new").rmdir()
        await source.tick()
        assert scene.found().ratchet.epoch == 1000


def test_warnings_come_once_a_minute(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is looked."""

    async def look() -> None:
        async with scene.source() as source:
            for second in range(121):
                scene.monotonic = float(second)
                await source.tick()

    scene.path.unlink()
    asyncio.run(look())
    assert len([each for each in caplog.messages if "cannot be read: No such file" in each]) == 3


def test_a_clock_that_is_behind_is_said_with_the_way_out(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """And a client's ticket of an epoch to come tells of it too."""

    async def look() -> None:
        async with scene.source() as source:
            scene.now -= 60 * 20
            await source.tick()
            source.missed(scene.key(1005))
            source.missed(scene.key(995))
            source.missed(bytes(16))
            assert source.figures()["early_tickets"] == 2

    asyncio.run(look())
    assert "this host's clock is behind" in caplog.text
    assert "a client has a ticket of epoch 1005" in caplog.text


@asynchronous
async def test_an_import_in_the_moment_after_an_advance_is_seen(scene: Scene) -> None:
    """Before the source had a look at what it had just written."""
    scene.put(secret(990).at(secret(990).ratchet.advanced(999)))
    async with scene.source() as source:
        replace, imported = scene.file.replace, secret(1000, first=1)

        def replaced_and_imported(secret: FarmSecret, *, former: FarmSecret | None = None) -> Stamp:
            stamp = replace(secret, former=former)
            scene.put(imported)
            return stamp

        scene.file.replace = replaced_and_imported  # type: ignore[method-assign]
        scene.now += 60
        await source.tick()
        scene.monotonic += USUAL_PROOF_SECONDS
        await source.tick()
        del scene.file.replace
        await source.tick()
        assert source.figures()["fingerprint"] == secret(first=1).fingerprint


def test_a_file_that_cannot_be_replaced_is_said_once_a_minute(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """In the figures all the time, though there are keys; and the end of it once."""
    caplog.set_level(logging.INFO)
    scene.put(secret(990).at(secret(990).ratchet.advanced(999)))
    (scene.directory / "farm.new").mkdir()

    async def look() -> None:
        async with scene.source() as source:
            scene.now += 60
            await source.tick()
            for second in range(10, 131):
                scene.monotonic = float(second)
                await source.tick()
                assert "cannot replace" in str(source.figures()["file_trouble"])
            assert (source.trouble, encrypts_with(source, scene)) == ("", scene.key(1001))
            (scene.directory / "farm.new").rmdir()
            await source.tick()
            assert source.figures()["file_trouble"] == ""

    asyncio.run(look())
    assert len([each for each in caplog.messages if "cannot replace" in each]) == 3
    assert len([each for each in caplog.messages if "can be replaced again" in each]) == 1
    assert not [each for each in caplog.messages if "can be used again" in each]


def test_a_fault_in_one_round_does_not_end_the_rounds(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """It is in the log, with where it was; the next round is as ever."""

    def clock() -> float:
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        return scene.now

    async def look() -> None:
        file = SecretFile(scene.path, parameter="p", owner=os.geteuid())
        source = RatchetSource(file, scene.settings(), clock, lambda: scene.monotonic)
        await source.start()
        await until(lambda: source.figures()["epoch"] is not None and source.table.keys != ())
        await source.close()

    calls: list[int] = []
    asyncio.run(look())
    assert "a round of the ratchet failed: ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text


@asynchronous
async def test_another_timeout_takes_effect_at_once(scene: Scene) -> None:
    """Epochs of another length than the secret's are said, and nobody gets a key for them."""
    async with scene.source() as source:
        source.use(scene.settings(240))
        assert source.table.keys == ()
        await source.tick()
        assert "set it to 120s" in source.trouble
        source.use(scene.settings(120))
        await source.tick()
        assert encrypts_with(source, scene) == scene.key(1000)


@asynchronous
async def test_from_the_file_and_the_memory_of_a_source_no_former_key_follows(scene: Scene) -> None:
    """Whoever takes both at epoch n has the ticket keys that the rules still keep, and later ones."""
    scene.put(secret(990).at(secret(990).ratchet.advanced(999)))
    async with scene.source() as source:
        for _ in range(13):
            scene.now += 30
            scene.monotonic += 30
            await source.tick()
        oldest = source.table.rules.oldest_accepted(int(scene.now))
        reachable = cipher_keys_within([source, scene.path.read_text()], epochs=range(985, oldest + 3))
        for epoch in range(990, oldest + 2):
            key = secret(990).ratchet.advanced(epoch).key_material()[16:48]
            assert (key in reachable) is (epoch >= oldest), epoch
        assert oldest == 1005


@asynchronous
async def test_a_long_sleep_holds_nobody_up(scene: Scene) -> None:
    """A year of short epochs takes seconds of work, and others have their turn every few milliseconds."""
    async with scene.source() as source:
        scene.now += 60 * 20_000
        turns = 0
        task = asyncio.ensure_future(source.tick())
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 500
        assert encrypts_with(source, scene) == scene.key(21_000)


@asynchronous
async def test_a_source_that_is_closed_in_the_middle_of_its_work_ends_soon(scene: Scene) -> None:
    """And leaves a whole file."""
    scene.now += 60 * 500_000
    async with scene.source() as source:
        assert encrypts_with(source, scene) is None
        assert "epochs are still to be gone through" in source.trouble
    assert scene.found() == secret(990)
