"""The session ticket keys of this server: in memory, and sealed on disk."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from tlsmgr.errors import Status
from tlsmgr.farm.key_table import FarmKey, FarmKeyState
from tlsmgr.messages import TicketKeyReply, TicketKeyRequest
from tlsmgr.sealing.sealer import Sealer, TamperedError
from tlsmgr.sealing.ticket_key_file import TicketKeyFile, TicketKeyFileError
from tlsmgr.service.durable_file import DurableFile
from tlsmgr.service.farm_keys import (
    FALLBACK_LEASE,
    LOCAL,
    FarmKeySource,
    describe_farm_keys,
    explain_farm_key,
)
from tlsmgr.service.former_keys import Departure, FormerKeys
from tlsmgr.service.ticket_figures import TicketFigures
from tlsmgr.service.ticket_key_report import describe_keys, explain_key
from tlsmgr.tickets import TicketKey, TicketKeyRing, revocation_delay

_log = logging.getLogger(__name__)

_NO_KEY = TicketKeyReply(status=Status.NOT_DONE)


def rotation_mark(data_directory: Path) -> Path:
    """Return the file that tells a cache server to rotate its ticket keys when it starts."""
    return data_directory / "tlsmgr_rotate_ticket_keys"


class TicketKeys:
    """Answers requests for ticket keys.

    A new key is saved before it is given out: a ticket made with it can be decrypted after this
    process was killed. A file that cannot be written is a warning, and the keys go on in memory.

    Attributes:
        timeout: ``smtpd_tls_session_cache_timeout`` in seconds; 0 for no tickets.
        lease: ``tlsmgr_ticket_key_lease`` in seconds; 0 for none.
        farm: Where keys come from that other hosts have too, asked before this one's own; or None.
        figures: What was asked for.

    Args:
        clock: The time of day in seconds since 1970.
        random_bytes: Where new keys come from.
        file: Where the keys are saved, and were by the process before this one.
        sealer: Seals them.
        durable: Brings the file to the disk, where the keys are to survive the machine's death as well.
        former: The names of keys that are gone.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        file: TicketKeyFile,
        sealer: Sealer,
        *,
        durable: DurableFile | None = None,
        former: FormerKeys | None = None,
    ) -> None:
        self.timeout = 0
        self.lease = 0
        self.farm: FarmKeySource | None = None
        self._clock = clock
        self._random_bytes = random_bytes
        self._file = file
        self._sealer = sealer
        self._durable = durable
        self._former = former or FormerKeys()
        self.figures = TicketFigures()
        self._ring = self._load()
        self._former.restore(self._ring, int(clock()))

    def answer(self, request: TicketKeyRequest) -> TicketKeyReply:
        """Return the key asked for, or NOT_DONE when there is none (any more)."""
        now = int(self._clock())
        self._take_up_belated()
        key = None
        if self.farm is not None and self.timeout > 0:
            key = _of_farm(self.farm, request.name, now, self.figures)
        if key is None:
            key = self._own_by_name(request.name, now) if request.name else self._own_to_encrypt(now)
        if key is None:
            return _NO_KEY
        return TicketKeyReply(status=Status.OK, key_buffer=key.leased(now, self.lease).pack())

    def revoke(self) -> tuple[int, str]:
        """Drop all keys of this host's own, in the file too; the next request makes a new one.

        Returns:
            For how many seconds running smtpd processes may accept old tickets, at the worst; and
            why a restart may bring the keys back, empty if it cannot.
        """
        reason = self._keep(self._ring.revoked(), Departure.REVOKED)
        self._file.forget_belated()
        reason = reason and self._removal_failure()
        return revocation_delay(timeout=self.timeout, lease=self.lease), reason

    async def settled(self) -> str:
        """Return when the file is on the disk, where it is to be, as ``DurableFile.settled`` does."""
        return "" if self._durable is None else await self._durable.settled()

    def rotate(self) -> Mapping[str, object]:
        """Make a new key to encrypt with; return ``status``, and the ``reason`` where it is NOT_DONE.

        Who has a key in use goes on with it until its time, or its lease, is over.
        """
        if reason := self._unrotatable():
            return {"status": int(Status.NOT_DONE), "reason": reason}
        now = int(self._clock())
        self._take_up_belated()
        self._keep(self._ring.renewed(now=now, timeout=self.timeout, random_bytes=self._random_bytes))
        return {"status": int(Status.OK)}

    def rotate_if_told(self, mark: Path) -> None:
        """Rotate if that was asked for while nobody could do it: if there is ``rotation_mark``."""
        try:
            mark.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("the ticket keys were not rotated: cannot remove %s: %s", mark, error.strerror)
            return
        if self.rotate()["status"] != Status.OK:
            _log.warning("the ticket keys were not rotated: %s", self._unrotatable())

    def _unrotatable(self) -> str:
        if self.timeout <= 0:
            return "there are no ticket keys: smtpd_tls_session_cache_timeout is 0"
        if self.farm is not None:
            return (
                f"the keys of a farm rotate by themselves, each {self.timeout // 2} s, on all hosts at once"
            )
        return ""

    def describe(self) -> list[Mapping[str, object]]:
        """Return all that is no secret of each key: see ``describe_farm_keys`` and ``describe_keys``."""
        now = int(self._clock())
        own = describe_keys(self._ring, now=now, timeout=self.timeout)
        return own if self.farm is None else [*describe_farm_keys(self.farm.table, now), *own]

    def explain(self, name: bytes) -> Mapping[str, object]:
        """Return whether a ticket under ``name`` can be decrypted, and why.

        See ``explain_farm_key``, for a key that other hosts have too, and ``explain_key``.
        """
        now = int(self._clock())
        if self.farm is not None and self.timeout > 0:
            explained = explain_farm_key(name, self.farm, now)
            if explained is not None:
                return explained
        return explain_key(name, self._ring, self._former, now=now, timeout=self.timeout)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._former.close()

    def _keep(self, ring: TicketKeyRing, why: Departure = Departure.REPLACED) -> str:
        """Use this ring; return why it could not be saved, empty if it was, or was before."""
        if ring is self._ring:
            return ""
        is_new = ring.current is not None and ring.current is not self._ring.current
        self.figures.made += is_new
        self._former.note(self._ring, ring, why, int(self._clock()))
        self._ring = ring
        return self._save()

    def _save(self) -> str:
        try:
            self._file.save(self._ring, self._sealer)
        except TicketKeyFileError as error:
            _log.warning("a restart will begin with new ticket keys: %s", error)
            return str(error)
        self._bring_to_disk()
        return ""

    def _bring_to_disk(self) -> None:
        if self._durable is not None:
            self._durable.was_replaced()

    def _removal_failure(self) -> str:
        """Remove the file, which a full disk allows; return why that cannot be done, or empty."""
        try:
            self._file.remove()
        except TicketKeyFileError as error:
            return str(error)
        self._bring_to_disk()
        return ""

    def _own_to_encrypt(self, now: int) -> TicketKey | None:
        ring, key = self._ring.encryption_key(now=now, timeout=self.timeout, random_bytes=self._random_bytes)
        self._keep(ring)
        self.figures.issued += key is not None
        if self.farm is None or key is None:
            return key
        self.farm.missed(b"")
        return key.leased(now, FALLBACK_LEASE)

    def _own_by_name(self, name: bytes, now: int) -> TicketKey | None:
        key = self._ring.find(name, now=now, timeout=self.timeout)
        self._count_decryption(key)
        if self.farm is None:
            return key
        if key is None:
            self.farm.missed(name)
            return None
        return key.only_to_decrypt(now)

    def _count_decryption(self, key: TicketKey | None) -> None:
        if key is None:
            self.figures.unknown += 1
        elif key is self._ring.current:
            self.figures.current += 1
        else:
            self.figures.previous += 1

    def _load(self) -> TicketKeyRing:
        try:
            self._file.open()
            return self._file.load(self._sealer)
        except TicketKeyFileError as error:
            _log.warning("beginning with new ticket keys: %s", error)
        except TamperedError as error:
            self._tell_of_tampering(error)
        return TicketKeyRing()

    def _take_up_belated(self) -> None:
        """Decrypt with the keys of the process before this one, once what they were sealed with is known."""
        try:
            theirs = self._file.load_belated(self._sealer)
        except TamperedError as error:
            self._tell_of_tampering(error)
            return
        if theirs is not None:
            ours = self._ring
            self._ring = TicketKeyRing(
                current=ours.current or theirs.current,
                previous=ours.previous or (theirs.current if ours.current else theirs.previous),
            )
            _log.info("the former ticket keys can be opened now, and decrypt")
            self._save()

    def _tell_of_tampering(self, error: TamperedError) -> None:
        self.figures.tampered += 1
        _log.warning("the file with the ticket keys was tampered with, beginning with new ones: %s", error)


def _of_farm(farm: FarmKeySource, name: bytes, now: int, figures: TicketFigures) -> TicketKey | None:
    """Return the key asked for if the farm has it, and count it."""
    table = farm.table
    if not name:
        current = table.encryption_key(now)
        figures.issued += current is not None
        figures.farm += current is not None and current.source != LOCAL
        return None if current is None else _leased(current, current.key, now)
    found = table.find(name, now)
    if found is None:
        return None
    match table.state(found, now):
        case FarmKeyState.CURRENT | FarmKeyState.OTHER:
            figures.current += 1
        case FarmKeyState.NEXT:
            figures.next += 1
        case _:
            figures.previous += 1
    return _leased(found, table.given_out(found, now), now)


def _leased(found: FarmKey, key: TicketKey, now: int) -> TicketKey:
    """Return a key that no other host has as one of ours is given out: for a short time."""
    return key.leased(now, FALLBACK_LEASE) if found.source == LOCAL else key
