"""Where session ticket keys come from: ``tlsmgr_ticket_key_source``."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from tlsmgr.shared_store.address import StoreAddress, parse_address


class KeySourceKind(StrEnum):
    """The word before the colon."""

    LOCAL = "local"  #: made by this host for itself
    RATCHET = "ratchet"  #: derived from a secret that all hosts of a farm have; from a file
    REDIS = "redis"  #: made by any host for all, and given round through a store; from a URL


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketKeySource:
    """A source: its kind, and what follows the colon; empty for a local one.

    ``store`` is where a URL leads to.
    """

    kind: KeySourceKind
    location: str = ""
    store: StoreAddress | None = None

    @property
    def is_shared(self) -> bool:
        """Whether other hosts have the same keys."""
        return self.kind is not KeySourceKind.LOCAL

    @property
    def file(self) -> Path | None:
        """The file of a ratchet."""
        return Path(self.location) if self.kind is KeySourceKind.RATCHET else None

    def below(self, directory: Path) -> Self:
        """Return the source with a relative path taken to begin at ``directory``."""
        if self.file is None:
            return self
        return replace(self, location=str(directory / self.file))


LOCAL: Final = TicketKeySource(kind=KeySourceKind.LOCAL)


def parse_key_source(text: str) -> TicketKeySource | None:
    """Return the source that ``local``, ``ratchet:FILE`` or ``redis:URL`` names; None for anything else.

    Raises:
        AddressError: the URL is none of a store.
    """
    kind, colon, location = text.partition(":")
    if text == KeySourceKind.LOCAL:
        return LOCAL
    if kind == KeySourceKind.RATCHET and colon and location.strip("/"):
        return TicketKeySource(kind=KeySourceKind.RATCHET, location=location)
    if kind == KeySourceKind.REDIS and colon:
        return TicketKeySource(kind=KeySourceKind.REDIS, location=location, store=parse_address(location))
    return None
