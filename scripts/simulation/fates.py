"""What befalls a host and the store, decided before the first second: when it sleeps, what its clock says."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tlsmgr.farm.epochs import EpochRules

_HOUR = 3600.0
#: A clock that is wrong for less than this is taken back before a ratchet goes along for good.
_GLITCH_SECONDS = 50.0


@dataclass(frozen=True, slots=True)
class Spells:
    """Times that do not overlap, each with a figure that tells how bad it is."""

    starts: Sequence[float]
    ends: Sequence[float]
    figures: Sequence[float]

    def at(self, time: float) -> float | None:
        """Return the figure of the spell that is under way; None when there is none."""
        place = bisect_right(self.starts, time) - 1
        return self.figures[place] if place >= 0 and time < self.ends[place] else None


def spells(random: Random, seconds: float, *, per_day: float, lasting: tuple[float, float]) -> Spells:
    """Return spells at random; their lengths, in seconds, are spread evenly on a logarithmic scale."""
    starts, ends, figures, time = [], [], [], 0.0
    while per_day:
        time += random.expovariate(per_day / (24 * _HOUR))
        if time > seconds:
            break
        starts.append(time)
        time += math.exp(random.uniform(*map(math.log, lasting)))
        ends.append(time)
        figures.append(random.uniform(-1.0, 1.0))
    return Spells(starts, ends, figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One host's. Times are in true seconds since the simulation began."""

    joins_at: float
    sleeps: Spells
    kills: Spells
    glitches: Spells
    wrong_clock: Spells
    apart: Spells
    full_disk: Spells
    skew: float
    period: float
    phase: float

    @classmethod
    def at_random(cls, random: Random, rules: EpochRules, seconds: float) -> "Fate":
        """Return the fate of a host whose clock is within half of the skew while nothing is wrong with it."""
        return cls(
            joins_at=0.0 if random.random() < 0.8 else random.uniform(0.0, seconds * 0.8),  # noqa: PLR2004 - four of five
            sleeps=spells(random, seconds, per_day=0.7, lasting=(30.0, 8 * _HOUR)),
            kills=spells(random, seconds, per_day=0.7, lasting=(10.0, 20.0)),
            glitches=spells(random, seconds, per_day=0.5, lasting=(10.0, _GLITCH_SECONDS)),
            wrong_clock=spells(random, seconds, per_day=0.3, lasting=(60.0, 2 * _HOUR)),
            apart=spells(random, seconds, per_day=0.7, lasting=(10.0, 3 * _HOUR)),
            full_disk=spells(random, seconds, per_day=0.2, lasting=(60.0, 2 * _HOUR)),
            skew=random.uniform(0.0, rules.skew / 2),
            period=random.uniform(1 * _HOUR, 30 * _HOUR),
            phase=random.uniform(0.0, math.tau),
        )

    def is_awake(self, time: float) -> bool:
        """Tell whether the host is there and runs."""
        return time >= self.joins_at and self.sleeps.at(time) is None

    def has_right_clock(self, time: float) -> bool:
        """Tell whether its clock is within half of the skew: and so any two of these within all of it."""
        return self.glitches.at(time) is None and self.wrong_clock.at(time) is None

    def clock(self, time: float) -> float:
        """Return what its clock says: hours or days off while it is wrong, near the true time else."""
        drift = self.skew * math.sin(math.tau * time / self.period + self.phase)
        glitch, wrong = self.glitches.at(time), self.wrong_clock.at(time)
        return time + drift + (glitch or 0.0) * 48 * _HOUR + (wrong or 0.0) * 3 * _HOUR
