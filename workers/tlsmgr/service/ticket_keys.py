"""The session ticket keys of this server, in memory."""

from collections.abc import Callable

from tlsmgr.errors import Status
from tlsmgr.messages import TicketKeyReply, TicketKeyRequest
from tlsmgr.tickets import TicketKeyRing

_NO_KEY = TicketKeyReply(status=Status.NOT_DONE)


class TicketKeys:
    """Answers requests for ticket keys.

    Attributes:
        timeout: ``smtpd_tls_session_cache_timeout`` in seconds; 0 for no tickets.

    Args:
        clock: The time of day in seconds since 1970.
        random_bytes: Where new keys come from.
    """

    def __init__(self, clock: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self.timeout = 0
        self._clock = clock
        self._random_bytes = random_bytes
        self._ring = TicketKeyRing()
        self.issued = 0

    def answer(self, request: TicketKeyRequest) -> TicketKeyReply:
        """Return the key asked for, or NOT_DONE when there is none (any more)."""
        now = int(self._clock())
        if request.name:
            key = self._ring.find(request.name, now=now, timeout=self.timeout)
        else:
            self._ring, key = self._ring.encryption_key(
                now=now, timeout=self.timeout, random_bytes=self._random_bytes
            )
        if key is None:
            return _NO_KEY
        self.issued += 1
        return TicketKeyReply(status=Status.OK, key_buffer=key.pack())
