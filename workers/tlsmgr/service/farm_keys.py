"""Ticket keys that other hosts have too: what a source of them is for the rest of the cache server."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tlsmgr.config.settings import Settings
from tlsmgr.farm.key_table import FarmKey, KeyTable

#: Seconds that a key of this host's own is given out for while the farm's are awaited: as soon as
#: there is one again, running smtpd processes are to encrypt with that.
FALLBACK_LEASE: Final = 60

#: The ``source`` of a key in a farm's table that no other host has, so far.
LOCAL: Final = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmRevocation:
    """What a source made of being told to revoke.

    Attributes:
        advice: what is left to do for whom; empty for nothing.
        failure: why keys may come back with a restart; empty if they cannot.
    """

    advice: str = ""
    failure: str = ""


class FarmKeySource(Protocol):
    """Where a farm's ticket keys come from: the ratchet, or a store that all hosts reach.

    Whatever befalls a source, its table only has fewer keys: the cache server answers with keys of
    its own then, and no request waits for it.
    """

    @property
    def name(self) -> str:
        """``ratchet`` or ``redis``; each of its keys has it as ``source``."""

    @property
    def table(self) -> KeyTable:
        """The keys that are there at this moment. It is asked at every request: have it ready."""

    def use(self, settings: Settings) -> None:
        """Go on with other parameters; where the source is, stays.

        Keys of other rules than these must not be in the table any more when this returns.
        """

    async def start(self) -> None:
        """Begin to have keys; returns soon, whatever is wrong, and raises nothing of it."""

    async def close(self) -> None:
        """End what was begun."""

    def enter_jail(self, root: Path) -> None:
        """Get ready for paths that begin at ``root``."""

    def revoke(self) -> Awaitable[FarmRevocation]:
        """Have no key any more that there was: at once in the table, elsewhere when this is awaited."""

    def epoch_of(self, name: bytes) -> int | None:
        """Return the epoch of a key that is not in the table, as far as its name is known."""

    def missed(self, name: bytes) -> None:
        """Take note that there is no key of this name, which a client has a ticket under.

        Without a name it is the key to encrypt with that there is none of.
        """

    def figures(self) -> Mapping[str, object]:
        """Return what there is to count and to tell, for ``stats``; no secret is among it."""


def describe_farm_keys(table: KeyTable, now: int) -> list[Mapping[str, object]]:
    """Return name, state, epoch, source and times (seconds since 1970) of each key, the latest first."""
    return [_described(each, table, now) for each in table.keys]


def explain_farm_key(name: bytes, source: FarmKeySource, now: int) -> Mapping[str, object] | None:
    """Return why a ticket under a farm key's name can or cannot be decrypted; None if it is none of theirs.

    Returns:
        ``decrypts``, as ``reason`` a ``FarmKeyState`` or ``other_epoch`` (its key is not here),
        ``epoch``, ``epochs_ahead`` (of the present one; negative for a former one) and ``source``;
        with the key's times, where it is here.
    """
    table = source.table
    present = table.rules.epoch_at(now)
    for each in table.keys:
        if each.key.name == name:
            return {
                **_described(each, table, now),
                "decrypts": table.find(name, now) is not None,
                "reason": str(table.state(each, now)),
                "epochs_ahead": each.epoch - present,
            }
    epoch = source.epoch_of(name)
    if epoch is None:
        return None
    return {
        "decrypts": False,
        "reason": "other_epoch",
        "epoch": epoch,
        "epochs_ahead": epoch - present,
        "source": source.name,
    }


def _described(each: FarmKey, table: KeyTable, now: int) -> Mapping[str, object]:
    return {
        "name": each.key.name,
        "state": str(table.state(each, now)),
        "epoch": each.epoch,
        "source": each.source,
        "encrypts_until": table.rules.encrypts_until(each.epoch),
        "decrypts_until": table.rules.decrypts_until(each.epoch),
    }
