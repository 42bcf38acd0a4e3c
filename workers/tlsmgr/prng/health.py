"""Continuous health tests of an entropy source: NIST SP 800-90B, section 4.4.

They find a source that broke, not one that is hostile. The cutoffs are for a source that
claims 8 bits of entropy a byte and for a chance of 2^-40 that a test fails by accident; at
the usual 2^-20 a source that is read in 32 bytes would raise a false alarm in every 600,000
reads, which is several a year where a thousand servers do it.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

REPETITION_CUTOFF = 6  #: 1 + 40 / 8 (4.4.1)
PROPORTION_CUTOFF = 19  #: 1 + CRITBINOM(512, 2^-8, 1 - 2^-40) (4.4.2)
PROPORTION_WINDOW = 512

#: Blocks that a new one is compared with, and the size below which chance repeats one:
#: of 64 blocks of 6 bytes one comes again with a probability of 64 * 2^-48 < 2^-40.
BLOCKS_REMEMBERED = 64
BLOCK_SIZE_COMPARED = 6


class Alarm(Enum):
    """What is wrong with a source, in words for a log."""

    REPETITION = "one byte comes many times in a row"
    PROPORTION = "one byte comes far too often"
    BLOCK_AGAIN = "a whole block was served again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the tests say of a block; without alarms it may be counted as entropy."""

    alarms: tuple[Alarm, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether no test failed."""
        return not self.alarms


class HealthTests:
    """The tests of one source. They carry on from one read to the next.

    Keeps no byte of the source but the two that are being counted; of blocks, digests.
    """

    def __init__(self) -> None:
        self._digests: deque[bytes] = deque(maxlen=BLOCKS_REMEMBERED)
        self._run_byte = -1
        self._run = 0
        self._window_byte = -1
        self._window_left = 0
        self._proportion = 0

    def __repr__(self) -> str:
        return f"<HealthTests after {len(self._digests)} blocks>"

    def observe(self, block: bytes) -> Verdict:
        """Test what one read delivered, in the order in which it was delivered."""
        return Verdict(alarms=tuple(dict.fromkeys(self._alarms(block))))

    def _alarms(self, block: bytes) -> Iterator[Alarm]:
        if self._is_known(block):
            yield Alarm.BLOCK_AGAIN
        for byte in block:
            if self._repeats(byte):
                yield Alarm.REPETITION
            if self._is_frequent(byte):
                yield Alarm.PROPORTION

    def _is_known(self, block: bytes) -> bool:
        if len(block) < BLOCK_SIZE_COMPARED:
            return False
        digest = sha256(block).digest()
        known = digest in self._digests
        self._digests.append(digest)
        return known

    def _repeats(self, byte: int) -> bool:
        """Run the repetition count test (4.4.1) over one more byte."""
        self._run = self._run + 1 if byte == self._run_byte else 1
        self._run_byte = byte
        return self._run >= REPETITION_CUTOFF

    def _is_frequent(self, byte: int) -> bool:
        """Run the adaptive proportion test (4.4.2) over one more byte."""
        if self._window_left == 0:
            self._window_byte, self._window_left, self._proportion = byte, PROPORTION_WINDOW, 0
        self._window_left -= 1
        self._proportion += byte == self._window_byte
        return byte == self._window_byte and self._proportion >= PROPORTION_CUTOFF
