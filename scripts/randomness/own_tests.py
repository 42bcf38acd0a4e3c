"""Simple tests for a host without dieharder: each looks at the whole sample for one kind of flaw.

The formulas are those of NIST SP 800-22 (2.1, 2.3, 2.13's relatives) and of Knuth's volume 2, 3.3.2.
"""

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator

from randomness.verdicts import Verdict, chi_square_tail, upper_tail

_LAGS = (1, 2, 7, 8, 32, 64, 128, 512, 1024, 8192)
# zlib stores what it cannot compress in blocks, each of which costs a few bytes.
_COMPRESSION_SLACK = 0.999


def own_tests(sample: bytes) -> Iterator[Verdict]:
    """Yield the verdicts on ``sample``, 64 KiB or more, its size a multiple of 8 bytes."""
    tests: tuple[Callable[[bytes], Verdict], ...] = (_bits, _bytes, _pairs, _compression, _repeated_words)
    for test in tests:
        yield test(sample)
    yield from _autocorrelation(sample)


def _bits(sample: bytes) -> Verdict:
    """As many ones as zeros."""
    ones = int.from_bytes(sample, "big").bit_count()
    return Verdict(test="bits: as many ones as zeros", p_value=_binomial(ones, len(sample) * 8))


def _bytes(sample: bytes) -> Verdict:
    return Verdict(test="bytes: all equally often", p_value=_even(Counter(sample), len(sample), 256))


def _pairs(sample: bytes) -> Verdict:
    pairs = memoryview(sample).cast("H")
    return Verdict(test="pairs of bytes: all equally often", p_value=_even(Counter(pairs), len(pairs), 65536))


def _compression(sample: bytes) -> Verdict:
    compressed = len(zlib.compress(sample, 9))
    return Verdict(
        test="compression: none",
        p_value=0.5 if compressed > len(sample) * _COMPRESSION_SLACK else 0.0,
        note=f"zlib makes {compressed} of {len(sample)} bytes",
    )


def _repeated_words(sample: bytes) -> Verdict:
    """Birthdays: how many 32-bit words come again; the number is Poisson distributed."""
    words = memoryview(sample).cast("I")
    repeated = len(words) - len(set(words))
    # What n words leave of 2^32 places: exact also where words that come three times count.
    expected = len(words) + math.expm1(len(words) * math.log1p(-(2.0**-32))) * 2.0**32
    deviations = (repeated - expected) / math.sqrt(max(expected, 1.0))
    return Verdict(
        test="32-bit words: as many repeated as by chance",
        p_value=upper_tail(deviations),
        note=f"{repeated} repeated, {expected:.1f} expected",
    )


def _autocorrelation(sample: bytes) -> Iterator[Verdict]:
    """Each bit tells nothing of the one so many bits later; a lag of 1 counts the runs."""
    bits = int.from_bytes(sample, "big")
    for lag in _LAGS:
        pairs = len(sample) * 8 - lag
        differing = ((bits ^ (bits >> lag)) & ((1 << pairs) - 1)).bit_count()
        yield Verdict(test=f"bits {lag} apart: as often equal as not", p_value=_binomial(differing, pairs))


def _binomial(count: int, trials: int) -> float:
    return upper_tail((count - trials / 2) / (math.sqrt(trials) / 2))


def _even(counts: "Counter[int]", total: int, kinds: int) -> float:
    expected = total / kinds
    squares = sum((count - expected) ** 2 for count in counts.values())
    squares += (kinds - len(counts)) * expected**2
    return chi_square_tail(squares / expected, kinds - 1)
