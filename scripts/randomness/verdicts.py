"""What a statistical test says of a sample."""

import math
from dataclasses import dataclass

# A hundred honest tests give one such p-value in ten thousand reports.
_FAILED_BELOW = 1e-6
_WEAK_BELOW = 5e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One test's outcome: how probable a value as extreme as this one, or more, is by chance."""

    test: str
    p_value: float
    note: str = ""

    @property
    def assessment(self) -> str:
        """Say ``passed``, ``weak`` (by chance once in a hundred tests), or ``failed``."""
        extreme = min(self.p_value, 1 - self.p_value)
        if extreme < _FAILED_BELOW:
            return "failed"
        return "weak" if extreme < _WEAK_BELOW else "passed"


def upper_tail(deviations: float) -> float:
    """Return the probability that a normal variable is so many standard deviations above its mean."""
    return math.erfc(deviations / math.sqrt(2)) / 2


def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the probability of a chi-square as large, by Wilson and Hilferty's approximation.

    Good to a few percent for 100 degrees of freedom and more.
    """
    spread = 2 / (9 * degrees)
    return upper_tail(((statistic / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread))
