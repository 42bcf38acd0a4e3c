import logging
import os
import stat
from pathlib import Path

import pytest

from tests.service.stores import sealer as own_sealer
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKey, KeyTable
from tlsmgr.sealing.keys import SealingKey, SealingKeys
from tlsmgr.sealing.sealer import Sealer, bound
from tlsmgr.service.farm_keys import LOCAL
from tlsmgr.service.kept_farm_keys import KeptFarmKeys
from tlsmgr.service.shared_keys import SOURCE
from tlsmgr.tickets import KEY_MATERIAL_SIZE

RULES = EpochRules(epoch_seconds=60, skew=10)


def _table() -> KeyTable:
    table = KeyTable(rules=RULES)
    for epoch, source in ((7, SOURCE), (8, LOCAL)):
        material = os.urandom(KEY_MATERIAL_SIZE)
        table = table.with_key(FarmKey.from_material(material, epoch=epoch, rules=RULES, source=source))
    return table


def _other_sealer() -> Sealer:
    return Sealer(SealingKeys(keys=(SealingKey(os.urandom(32)),)), os.urandom)


def test_a_restart_finds_the_keys_and_their_generation(tmp_path: Path) -> None:
    """Sealed, for their owner alone; those of another timeout are left out."""
    sealer, path, table = own_sealer(), tmp_path / "keys", _table()
    kept = KeptFarmKeys(path, sealer)
    kept.open()
    kept.save(5, table)
    assert kept.load(RULES) == (5, table)
    others = EpochRules(epoch_seconds=90, skew=10)
    assert kept.load(others) == (5, KeyTable(rules=others))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(each.key.cipher_key in path.read_bytes() for each in table.keys)
    kept.close()


@pytest.mark.parametrize("content", ["of another layout", "changed", "of another key", "empty"])
def test_a_file_that_is_not_ours_is_as_good_as_none(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The host begins without the farm's keys, and its log says so."""
    sealer, path = own_sealer(), tmp_path / "keys"
    kept = KeptFarmKeys(path, sealer)
    kept.open()
    kept.save(5, _table())
    saved = path.read_bytes()
    path.write_bytes(
        {
            "of another layout": sealer.seal(bytes(100), bound_to=bound(b"farm's ticket keys")),
            "changed": saved[:-1] + bytes([saved[-1] ^ 1]),
            "of another key": _other_sealer().seal(bytes(100), bound_to=b""),
            "empty": b"",
        }[content]
    )
    with caplog.at_level(logging.WARNING):
        assert kept.load(RULES) == (0, KeyTable(rules=RULES))
    assert "begins without the farm's ticket keys" in caplog.text
    kept.close()
