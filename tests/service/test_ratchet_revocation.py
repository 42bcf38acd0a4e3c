"""Revocation by a source with a ratchet: in memory, in the file, and in the answer."""

import asyncio
from pathlib import Path

import pytest

from tests.farm.test_secret import secret
from tests.service.ratchet_scene import Scene, asynchronous, encrypts_with


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Give a directory with a secret that is some epochs old."""
    made = Scene(tmp_path)
    made.put(secret(990))
    return made


@asynchronous
async def test_a_revocation_moves_the_file_past_the_epoch(scene: Scene) -> None:
    """At once in memory; when it is answered, on disk. The answer says what is to be done."""
    async with scene.source() as source:
        answer = source.revoke()
        assert source.table.keys == ()
        revoked = await answer
        assert scene.found() == secret(990).at(secret(990).ratchet.advanced(1001))
        assert revoked.failure == ""
        assert "tlsmgr farm new-secret" in revoked.advice
        assert encrypts_with(source, scene) is None
        assert "begins with epoch 1001, in 30 s" in source.trouble


@asynchronous
async def test_a_revocation_that_cannot_reach_the_disk_says_so(scene: Scene) -> None:
    """A restart would bring the keys back."""
    (scene.directory / "farm.new").mkdir()
    async with scene.source() as source:
        assert "cannot replace" in (await source.revoke()).failure


@asynchronous
async def test_what_is_revoked_while_its_file_cannot_be_read_stays_revoked(scene: Scene) -> None:
    """The answer says that it is still on the disk; it goes from there as soon as it can be read."""
    scene.path.chmod(0o644)
    async with scene.source() as source:
        assert "has mode 0644" in (await source.revoke()).failure
        scene.path.chmod(0o600)
        await source.tick()
        assert encrypts_with(source, scene) is None
        assert scene.found().ratchet.epoch == 1001


@pytest.mark.parametrize("timeout", [0, 180, 240])
def test_a_revocation_reaches_the_file_whatever_the_timeout_is(scene: Scene, timeout: int) -> None:
    """By the epochs of the secret; with the right timeout the revoked key does not come back."""

    async def revoke() -> None:
        async with scene.source() as source:
            source.use(scene.settings(timeout))
            assert (await source.revoke()).failure == ""
            assert scene.found() == secret(990).at(secret(990).ratchet.advanced(1001))
            source.use(scene.settings())
            await source.tick()
            assert encrypts_with(source, scene) is None
            assert source.table.find(scene.key(1000), int(scene.now)) is None
            assert scene.found().ratchet.epoch == 1001

    asyncio.run(revoke())


@asynchronous
async def test_what_was_imported_just_before_a_revocation_is_revoked(scene: Scene) -> None:
    """Though no tick had seen it yet."""
    async with scene.source() as source:
        scene.put(secret(999, first=1))
        assert (await source.revoke()).failure == ""
        assert scene.found() == secret(first=1).at(secret(999, first=1).ratchet.advanced(1001))
