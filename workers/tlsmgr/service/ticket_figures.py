"""What the ticket keys count."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(slots=True, kw_only=True)
class TicketFigures:
    """How many requests asked for which key, and how many keys were made."""

    issued: int = 0  #: the key to encrypt with
    current: int = 0  #: the current key by its name: to decrypt
    previous: int = 0
    next: int = 0  #: the key of a farm's next epoch by its name
    unknown: int = 0  #: a key that there is not, or no longer: its ticket cannot be decrypted
    farm: int = 0  #: of those issued, how many the other hosts of a farm have too
    made: int = 0
    tampered: int = 0  #: files with keys that were changed on disk

    def as_map(self) -> Mapping[str, object]:
        """Return all of them, for ``stats``."""
        requests = asdict(self)
        made, tampered, farm = (requests.pop(name) for name in ("made", "tampered", "farm"))
        return {
            "issued": self.issued,
            "made": made,
            "tampered": tampered,
            "requests": requests,
            "issued_by_source": {"local": self.issued - farm, "farm": farm},
        }
