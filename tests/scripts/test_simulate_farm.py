"""The simulation of a farm, in its short form."""

import asyncio
from pathlib import Path
from random import Random
from xml.etree import ElementTree as ET

import pytest

from simulation.__main__ import holds, ratchet_farm, store_farm, summary
from simulation.fates import Fate, spells
from simulation.members import BEGINNING, RatchetMember
from tests.scripts.rehearsals import rehearse
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.secret import FarmSecret

_RULES = EpochRules.for_timeout(600, 30)
_SECONDS = 4 * 3600.0


@pytest.mark.parametrize("seed", range(4))
def test_a_farm_resumes_what_the_rules_allow(seed: int) -> None:
    """Through sleeps, kills, full disks and wrong clocks; no key is used too early or kept too long."""
    for farm in (ratchet_farm, store_farm):
        tally = asyncio.run(farm(seed, _RULES, 12, _SECONDS, clients=5))
        assert holds(tally), (farm.__name__, summary(tally), tally.faults)


def test_a_seed_gives_the_same_days_again() -> None:
    """So that a fault can be looked into."""
    first, second = (asyncio.run(ratchet_farm(7, _RULES, 5, 3600.0)) for _ in range(2))
    assert first == second


def test_a_key_that_is_kept_too_long_is_found_out() -> None:
    """The judge of the simulation is not blind: a host that never forgets is a fault."""
    random = Random(1)  # noqa: S311 - a simulation
    member = RatchetMember(Fate.at_random(random, _RULES, 0.0), _RULES, [])
    epoch = _RULES.epoch_at(BEGINNING)
    member.found(FarmSecret.make(random.randbytes, epoch_seconds=300, epoch=epoch - 5))
    assert not member.keeps_to_the_rules(member.fate.joins_at)


def test_spells_do_not_overlap_and_have_their_lengths() -> None:
    """Whatever the seed."""
    for seed in range(20):
        made = spells(Random(seed), 1e6, per_day=20, lasting=(10.0, 1000.0))  # noqa: S311 - a simulation
        assert all(end <= start for end, start in zip(made.ends, made.starts[1:], strict=False))
        lengths = [end - start for start, end in zip(made.starts, made.ends, strict=True)]
        assert all(10.0 <= length <= 1000.0 for length in lengths)
        assert made.at(made.starts[0]) is not None
        assert made.at(made.ends[0]) is None or made.ends[0] == made.starts[1]


def test_the_command_says_its_seed_and_draws_a_picture(tmp_path: Path) -> None:
    """And ends with 0 when all claims hold."""
    picture = tmp_path / "picture.svg"
    done = rehearse("simulate-farm", "--hosts", "5", "--days", "0.1", "--seed", "3", "--svg", str(picture))
    assert (done.returncode, done.stderr) == (0, "seed 3\n")
    assert done.stdout.count("; 0 faults") == 2
    assert ET.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - our own picture
