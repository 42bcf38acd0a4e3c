"""How cache-server and prng-server come to have the same sealing keys: decisions, no I/O.

Each tells the other what it has, and both merge the two values in the same order: the
cache server's first, since sessions are sealed with those. So one exchange, begun by either
side, leaves both with the same keys, whatever went before: a restart of either, both at once,
or a while in which one of them did not answer.

A worker that starts asks first. Only when the other is not there, or has none, are keys
made: by prng-server at once, by cache-server when it has waited for prng-server for long
enough. Two that start together so get prng-server's. A key that the other has not seen is
offered until it has: see ``wants_exchange``.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from tlsmgr.sealing.keys import SealingKey, SealingKeys

#: Seconds for which a cache server that starts waits for prng-server: seldom needed, and
#: short, since every handshake waits meanwhile.
PATIENCE_SECONDS: Final = 0.3


class Side(Enum):
    """Which of the two workers this is."""

    CACHE_SERVER = "cache-server"  #: its keys come first
    PRNG_SERVER = "prng-server"  #: makes the first key

    @property
    def other(self) -> "Side":
        """The worker that is asked."""
        return Side.PRNG_SERVER if self is Side.CACHE_SERVER else Side.CACHE_SERVER


class HandOver:
    """One worker's keys, and whether the other has them too.

    Attributes:
        keys: what this worker has now; a Sealer is to use them.

    Args:
        side: which worker this is.
        random_bytes: returns as many as it is asked for; is asked when a key is made.
        now: when this worker started, in seconds of a clock that is never set.
    """

    def __init__(self, side: Side, random_bytes: Callable[[int], bytes], *, now: float) -> None:
        self._side = side
        self._random_bytes = random_bytes
        self._gives_up_at = now + (PATIENCE_SECONDS if side is Side.CACHE_SERVER else 0.0)
        self.keys = SealingKeys()
        self._shared = SealingKeys()

    def __repr__(self) -> str:
        shared = "shared" if not self.wants_exchange else "not shared"
        return f"<HandOver of {self._side.value}, {len(self.keys.keys)} keys, {shared}>"

    @property
    def has_key(self) -> bool:
        """Whether this worker can seal."""
        return self.keys.current is not None

    @property
    def wants_exchange(self) -> bool:
        """Whether the other worker is to be asked (again), in a moment if it did not answer."""
        return not self.has_key or self.keys != self._shared

    def met(self, other: SealingKeys, *, told: SealingKeys) -> bool:
        """Take in what the other worker has: its answer, or what it sent when it asked us.

        Args:
            other: what it has.
            told: what it was told by us in the same exchange: our ``keys`` when we asked, which
                may be others by now; our ``keys`` from before this call when we were asked.

        Returns:
            Whether the keys of this worker are others now.
        """
        former = self.keys
        self.keys = self._merged(former, other)
        # That is what the other one makes of the exchange. If we are the ones that were asked, and
        # it did not get our answer, it asks again.
        self._shared = self._merged(told, other)
        return self.keys != former

    def missed(self, *, now: float) -> bool:
        """Go on without the other worker, which did not answer or has no key.

        Returns:
            Whether a key was made.
        """
        if self.has_key or now < self._gives_up_at:
            return False
        self.keys = SealingKeys(keys=(SealingKey.make(self._random_bytes),), revoked=self.keys.revoked)
        return True

    def renew(self) -> None:
        """Make a new key and revoke all others: nothing that was sealed before opens again."""
        self.keys = self.keys.renewed(SealingKey.make(self._random_bytes))

    def _merged(self, ours: SealingKeys, theirs: SealingKeys) -> SealingKeys:
        return ours.merged(theirs) if self._side is Side.CACHE_SERVER else theirs.merged(ours)
