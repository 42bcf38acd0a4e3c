import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.sealing.test_custody import settings_in
from tlsmgr.errors import Status
from tlsmgr.sealing.custody import Custody
from tlsmgr.sealing.hand_over import Side
from tlsmgr.sealing.ticket_key_file import TicketKeyFile
from tlsmgr.service.revocation import revoke
from tlsmgr.service.ticket_keys import TicketKeys


async def revoked(directory: Path) -> Mapping[str, object]:
    """Revoke where the sealing key is in a file, so that it stays."""
    key_file = directory / "sealing-key"
    key_file.write_text(os.urandom(32).hex())
    key_file.chmod(0o600)
    settings = settings_in(directory, tlsmgr_sealing_key_file=str(key_file))
    custody = Custody(Side.CACHE_SERVER, settings, os.urandom)
    custody.open_privileged()
    await custody.start()
    file = TicketKeyFile(directory / "ticket-keys")
    keys = TicketKeys(lambda: 0.0, os.urandom, file, custody.sealer, durable=True)
    try:
        return await revoke(custody, keys, {})
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
