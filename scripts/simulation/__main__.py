"""Live through days of a farm of hosts, as values, with the program's own choice of ticket keys.

Clocks drift within tlsmgr_clock_skew, and leap by hours and days; hosts sleep, are killed, join late,
have full disks; the store is down, loses everything, cannot be reached from some hosts. Clients get a
ticket from one host, and come back to another. The exit code is 0 when at least 99.9% of the
resumptions that the rules allow succeed, no key is used before every host in order knows it, and none
is kept past its end; 1 when not.

The rules allow a resumption within an epoch, from a host to another one, when either is in order at its
time: awake, in the farm, its clock within half of the skew. With a ratchet: not waiting for an operator,
as a host does whose clock was hours ahead for more than a minute. With a store: in touch with it for
a minute.
"""

import argparse
import asyncio
import secrets
import sys
from pathlib import Path
from random import Random

from rehearsal.checkout import CHECKOUT
from simulation.fates import Fate, spells
from simulation.members import BEGINNING, RatchetMember
from simulation.plot import as_svg
from simulation.store_members import StoreMember, StoreModel, settings_for
from simulation.tally import Tally
from simulation.world import World
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.secret import FarmSecret

_PLOT = CHECKOUT / "docs" / "farm-simulation.svg"
_DAY = 86400.0
_GOAL = 0.999


def main() -> int:
    """Run it; return 0, or 1 when a claim does not hold."""
    options = _options()
    sys.stderr.write(f"seed {options.seed}\n")
    rules = EpochRules.for_timeout(options.timeout, options.skew)
    seconds = options.days * _DAY
    tallies = {
        "ratchet": asyncio.run(ratchet_farm(options.seed, rules, options.hosts, seconds)),
        "redis": asyncio.run(store_farm(options.seed, rules, options.hosts, seconds)),
    }
    for source, tally in tallies.items():
        sys.stdout.write(f"{source}: {summary(tally)}\n")
        sys.stderr.write("".join(f"FAULT: {source}: {line}\n" for line in tally.faults))
    for path in (options.svg, _PLOT if options.publish else None):
        if path is not None:
            path.write_text(as_svg(tallies))
    return 0 if all(holds(tally) for tally in tallies.values()) else 1


async def ratchet_farm(
    seed: int, rules: EpochRules, hosts: int, seconds: float, *, clients: int = 25
) -> Tally:
    """Return what came of a farm with a ratchet."""
    random = Random(seed)  # noqa: S311 - it has to be the same again for a seed
    farm: list[RatchetMember] = []
    for _ in range(hosts):
        farm.append(RatchetMember(Fate.at_random(random, rules, seconds), rules, farm))
    secret = FarmSecret.make(
        random.randbytes, epoch_seconds=rules.epoch_seconds, epoch=rules.epoch_at(BEGINNING) - 1
    )
    for member in farm:
        if member.fate.joins_at == 0.0:
            member.found(secret)
    tally = await World(farm, rules, random, clients).live(seconds)
    tally.other["repairs"] = sum(member.repairs for member in farm)
    return tally


async def store_farm(seed: int, rules: EpochRules, hosts: int, seconds: float, *, clients: int = 25) -> Tally:
    """Return what came of a farm with a store."""
    random = Random(seed)  # noqa: S311 - likewise
    settings = settings_for(rules)
    store = StoreModel(spells(random, seconds, per_day=4.0, lasting=(10.0, 3600.0)))
    fates = [Fate.at_random(random, rules, seconds) for _ in range(hosts)]
    farm = [StoreMember(fate, settings, store, random) for fate in fates]
    return await World(farm, rules, random, clients).live(seconds)


def summary(tally: Tally) -> str:
    """Return a line about what came of it."""
    return (
        f"{tally.resumed.total():,} of {tally.allowed.total():,} resumptions that the rules allow succeeded"
        f" ({100 * tally.share:.3f}%), and {tally.other['resumed']:,} of"
        f" {tally.other['resumed'] + tally.other['refused']:,} others; {tally.other['repairs']} hosts were"
        f" given the secret again; {len(tally.faults)} faults"
    )


def holds(tally: Tally) -> bool:
    """Tell whether all claims hold."""
    return not tally.faults and tally.allowed.total() > 0 and tally.share >= _GOAL


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate-farm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hosts", type=int, default=100, help="default: 100")
    parser.add_argument("--days", type=float, default=2.0, help="default: 2")
    parser.add_argument("--timeout", type=int, default=3600, help="of a session, in seconds (default: 3600)")
    parser.add_argument("--skew", type=int, default=30, help="of the clocks, in seconds (default: 30)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="default: a random one")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot")
    parser.add_argument("--publish", action="store_true", help="put the plot into docs/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
