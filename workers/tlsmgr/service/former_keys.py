"""The names of ticket keys that are gone, with when and why: over restarts too, in a file without secrets.

A key's name is in each ticket, in the clear. What the file says is shown to who asks, and believed in
nothing else.
"""

import logging
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tlsmgr.storage.small_file import SmallFile
from tlsmgr.tickets import TicketKeyRing

_log = logging.getLogger(__name__)

# At the usual two an hour that is more than a day; tickets live for an hour.
_KEPT = 64
_SIZE_MAX = 8192
_PRESENT = "present"


class Departure(StrEnum):
    """Why a key that was there is not any more."""

    REPLACED = "replaced"  #: newer keys took its place
    REVOKED = "revoked"
    LOST = "lost"  #: the process that had it ended, and what it was sealed with is gone


_LINE = re.compile(rf"({_PRESENT}|{'|'.join(Departure)}) ([0-9a-f]{{32}}) (\d{{1,12}})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerKey:
    """A key that is gone: when it left (seconds since 1970), and why."""

    name: bytes
    left_at: int
    why: Departure


class FormerKeys:
    """The keys that left, the last ones first, at most 64.

    Args:
        path: Where they are kept over a restart; without one, they are not.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._keys: deque[FormerKey] = deque(maxlen=_KEPT)
        self._file = None if path is None else SmallFile(path, size_max=_SIZE_MAX)

    def restore(self, ring: TicketKeyRing, now: int) -> None:
        """Read the file; what it has of keys that were there, and are not in ``ring``, was lost by ``now``.

        A file that cannot be read, or says anything else, is ignored with a line in the log.
        """
        if self._file is None:
            return
        try:
            self._file.open()
            text = self._file.read().decode("ascii")
            self._keys.extend(_parsed(text, _names(ring), now))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not as tlsmgr writes it"
            _log.warning("not known which ticket keys there were: %s: %s", self._file.path, reason)

    def note(self, before: TicketKeyRing, after: TicketKeyRing, why: Departure, now: int) -> None:
        """Take down which keys are in ``before`` and not in ``after``, and which are there now."""
        kept = _names(after)
        for key in (before.previous, before.current):
            if key is not None and key.name not in kept:
                self._keys.appendleft(FormerKey(name=key.name, left_at=now, why=why))
        self._save(kept, now)

    def find(self, name: bytes) -> FormerKey | None:
        """Return what is known of a key that left."""
        return next((key for key in self._keys if key.name == name), None)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _save(self, present: list[bytes], now: int) -> None:
        if self._file is None:
            return
        lines = [f"{_PRESENT} {name.hex()} {now}\n" for name in present]
        lines += [f"{key.why} {key.name.hex()} {key.left_at}\n" for key in self._keys]
        try:
            self._file.replace("".join(lines).encode())
        except OSError as error:
            _log.warning(
                "a restart forgets which ticket keys there were: cannot write %s: %s",
                self._file.path,
                error.strerror,
            )


def _names(ring: TicketKeyRing) -> list[bytes]:
    return [key.name for key in (ring.current, ring.previous) if key is not None]


def _parsed(text: str, present: list[bytes], now: int) -> list[FormerKey]:
    """Return the keys of a file.

    Raises:
        ValueError: A line is none of ours; then none counts.
    """
    return [key for line in text.splitlines() for key in _key_of(line, present, now)]


def _key_of(line: str, present: list[bytes], now: int) -> Iterator[FormerKey]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(line)
    word, name, left_at = found[1], bytes.fromhex(found[2]), int(found[3])
    if word != _PRESENT:
        yield FormerKey(name=name, left_at=left_at, why=Departure(word))
    elif name not in present:
        yield FormerKey(name=name, left_at=now, why=Departure.LOST)
