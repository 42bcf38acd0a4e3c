"""The farm's ticket keys on this host's disk, sealed: for a restart while the shared store is gone."""

import logging
import struct
from pathlib import Path
from typing import Final

from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.key_table import FarmKey, KeyTable
from tlsmgr.sealing.sealer import Sealer, UnsealError, bound
from tlsmgr.service.farm_keys import LOCAL
from tlsmgr.service.shared_keys import SOURCE
from tlsmgr.storage.small_file import SmallFile
from tlsmgr.tickets import KEY_MATERIAL_SIZE

_log = logging.getLogger(__name__)

_SIZE_MAX: Final = 4096
_GENERATION: Final = struct.Struct(">Q")
_KEY: Final = struct.Struct(f">IQ?{KEY_MATERIAL_SIZE}s")
# With the layout, so that rows of another one, of another version, do not open.
_PLACE: Final = bound(b"farm's ticket keys", _KEY.format.encode())


class KeptFarmKeys:
    """A file with the keys of a table, and the generation of what hosts share that they are of.

    Nothing depends on it but what a restart begins with: what fails is one line in the log.

    Args:
        path: absolute, in a directory of the user that this process runs as.
        sealer: this host's own, whose key is on no disk.
    """

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self._path = path
        self._file = SmallFile(path, size_max=_SIZE_MAX)
        self._sealer = sealer
        self._saved: tuple[int, tuple[FarmKey, ...]] | None = None

    def open(self) -> None:
        """Hold the directory open, so that it works on after a chroot."""
        try:
            self._file.open()
        except OSError as error:
            self._tell(error)

    def close(self) -> None:
        """Give back the directory; the file stays."""
        self._file.close()

    def load(self, rules: EpochRules) -> tuple[int, KeyTable]:
        """Return the generation, and the keys of these rules that are in the file; none if there is none."""
        try:
            plaintext = self._sealer.open(self._file.read(), bound_to=_PLACE)
        except FileNotFoundError:
            return 0, KeyTable(rules=rules)
        except (OSError, UnsealError) as error:
            self._tell(error)
            return 0, KeyTable(rules=rules)
        table = KeyTable(rules=rules)
        for seconds, epoch, is_shared, material in _KEY.iter_unpack(plaintext[_GENERATION.size :]):
            if seconds == rules.epoch_seconds:
                source = SOURCE if is_shared else LOCAL
                key = FarmKey.from_material(material, epoch=epoch, rules=rules, source=source)
                table = table.with_key(key, preferred=False)
        return _GENERATION.unpack_from(plaintext)[0], table

    def save(self, generation: int, table: KeyTable) -> None:
        """Have these keys in the file, if they are not."""
        if self._saved == (generation, table.keys):
            return
        seconds = table.rules.epoch_seconds
        rows = [_KEY.pack(seconds, each.epoch, each.source != LOCAL, _material(each)) for each in table.keys]
        sealed = self._sealer.seal(_GENERATION.pack(generation) + b"".join(rows), bound_to=_PLACE)
        try:
            self._file.replace(sealed)
        except OSError as error:
            self._tell(error)
        self._saved = generation, table.keys

    def remove(self) -> str:
        """Have no file; return why that cannot be, empty if it is so."""
        self._saved = None
        try:
            self._file.remove()
        except OSError as error:
            return f"cannot remove {self._path}: {error.strerror}"
        return ""

    def _tell(self, error: Exception) -> None:
        _log.warning("a restart without the shared store begins without the farm's ticket keys: %s", error)


def _material(each: FarmKey) -> bytes:
    return each.key.name + each.key.cipher_key + each.key.mac_key
