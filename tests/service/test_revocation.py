import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.sealing.test_custody import settings_in
from tlsmgr.errors import HostError, Status
from tlsmgr.messages import CacheType, TicketKeyRequest
from tlsmgr.sealing.custody import Custody
from tlsmgr.sealing.hand_over import Side
from tlsmgr.sealing.ticket_key_file import TicketKeyFile
from tlsmgr.service.durable_file import DurableFile
from tlsmgr.service.revocation import revoke
from tlsmgr.service.sharing import Sharing
from tlsmgr.service.ticket_keys import TicketKeys
from tlsmgr.storage.quarantine import destroy_set_aside


def _do_nothing() -> None:
    """Stand for a disk that has all at once."""


async def revoked(directory: Path, sync: Callable[[], None] = _do_nothing) -> Mapping[str, object]:
    """Revoke where the sealing key is in a file, so that it stays."""
    key_file = directory / "sealing-key"
    key_file.write_text(os.urandom(32).hex())
    key_file.chmod(0o600)
    settings = settings_in(directory, tlsmgr_sealing_key_file=str(key_file))
    custody = Custody(Side.CACHE_SERVER, settings, os.urandom)
    custody.open_privileged()
    await custody.start()
    file = TicketKeyFile(directory / "ticket-keys")
    keys = TicketKeys(lambda: 0.0, os.urandom, file, custody.sealer, durable=DurableFile(sync))
    keys.timeout = 3600
    keys.answer(TicketKeyRequest(name=b""))
    try:
        return await revoke(
            custody, keys, {}, {CacheType.SMTPD: directory / "smtpd_scache"}, Sharing(lambda: 0.0)
        )
    finally:
        keys.close()
        custody.close()


@pytest.mark.parametrize("in_the_way", [False, True])
def test_ticket_keys_that_a_restart_may_bring_back_are_a_failure(tmp_path: Path, *, in_the_way: bool) -> None:
    """With a sealing key that stays, the file is what would bring them."""
    if in_the_way:
        (tmp_path / "ticket-keys").mkdir()
    result = asyncio.run(revoked(tmp_path))
    assert result["sealing_key_renewed"] is False
    failures = result["failures"]
    assert isinstance(failures, dict)
    assert list(failures) == ["ticket keys"] * in_the_way
    assert result["status"] == (Status.NOT_DONE if in_the_way else Status.OK)


@pytest.mark.parametrize("can_be_saved", [True, False])
def test_ticket_keys_are_gone_when_the_disk_knows_it(tmp_path: Path, *, can_be_saved: bool) -> None:
    """A disk that fails may bring them back: where they were replaced, and where they were removed."""

    def fail() -> None:
        raise HostError("the disk fails")

    if not can_be_saved:
        (tmp_path / "ticket-keys.new").mkdir()
    result = asyncio.run(revoked(tmp_path, fail))
    assert result["failures"] == {"ticket keys": "the disk fails"}
    assert result["status"] == Status.NOT_DONE


def test_what_was_set_aside_is_destroyed_with_the_sessions(tmp_path: Path) -> None:
    """By the names that are ours alone; what stays, and why, is a failure of that cache."""
    ours, foreign, link = (tmp_path / f"smtpd_scache.damaged-20260102T03040{number}Z" for number in range(3))
    for directory in (ours, foreign):
        directory.mkdir()
        (directory / "cache.db").write_text("sealed")
    (foreign / "notes").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "cache.db").write_text("another's")
    link.symlink_to(elsewhere)
    other = tmp_path / "smtpd_scache.damaged-by-hand"
    other.mkdir()

    result = asyncio.run(revoked(tmp_path))

    assert result["set_aside_removed"] == 1
    failures = result["failures"]
    assert isinstance(failures, dict)
    assert [name for name in (ours, foreign, link) if str(name) in failures["smtpd"]] == [foreign, link]
    assert result["status"] == Status.NOT_DONE
    assert not ours.exists()
    assert [path.name for path in foreign.iterdir()] == ["notes"]
    assert (elsewhere / "cache.db").read_text() == "another's"
    assert other.is_dir()


def test_a_parent_directory_that_has_gone_is_no_reason_to_say_that_all_is_removed(tmp_path: Path) -> None:
    """As from inside of a chroot jail: nobody could look."""
    gone, reasons = destroy_set_aside(tmp_path / "missing" / "smtpd_scache")

    assert (gone, len(reasons)) == (0, 1)
