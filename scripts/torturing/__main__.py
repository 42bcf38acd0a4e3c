"""Kill workers at random under load, and see that nothing is lost that was said to be saved.

The three workers run under a supervisord in a private directory. Clients of both protocols
save, look up and delete sessions, and remember each update that was answered with 0. The
exit code is 0 when every promised session is found byte for byte at the end, no reply
ever belonged to another request, and each killed worker answered again in time; 1 when not.
"""

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
from pathlib import Path

from rehearsal.load import Tally, clients
from rehearsal.results import circumstances, publish
from rehearsal.sandbox import Sandbox
from rehearsal.workers import Workers
from torturing.killing import Killer
from torturing.outcome import Outcome

_PAUSE_SECONDS = 0.001


def main() -> int:
    """Run it; return 0, or 1 when a promise was broken."""
    options = _options()
    sys.stderr.write(f"seed {options.seed}\n")
    with Sandbox() as sandbox, Workers(sandbox.root / "supervisor", config_directory=sandbox.etc) as workers:
        outcome = asyncio.run(_torture(sandbox, options))
        evidence = workers.logs() if outcome.complaints() else ""
    sys.stdout.write(outcome.markdown() + "\n")
    sys.stderr.write("".join(f"FAULT: {line}\n" for line in outcome.complaints()) + evidence)
    if options.json is not None:
        options.json.write_text(json.dumps(outcome.document(), indent=1) + "\n")
    if options.publish:
        command = f"scripts/torture --kills {options.kills} --seed {options.seed}"
        publish("torture", f"{circumstances(command)}\n\n{outcome.markdown()}")
    return 1 if outcome.complaints() else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/torture", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs in all (default: 200)")
    parser.add_argument("--clients", type=int, default=8, help="half for each protocol (default: 8)")
    parser.add_argument("--keys", type=int, default=300, help="sessions of each client (default: 300)")
    parser.add_argument(
        "--back-within", type=float, default=1.5, metavar="SECONDS", help="of a killed worker (default: 1.5)"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="default: a random one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--publish", action="store_true", help="put the result into docs/reliability.md")
    return parser.parse_args()


async def _torture(sandbox: Sandbox, options: argparse.Namespace) -> Outcome:
    started = time.monotonic()
    tally = Tally()
    killer = Killer(sandbox, random.Random(options.seed))  # noqa: S311 - to be repeated by its seed
    load = clients(
        sandbox,
        tally,
        options.seed,
        count=options.clients,
        keys=options.keys,
        lives=killer.lives,
        pause=_PAUSE_SECONDS,
    )
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for client in load:
            group.create_task(client.run(stopped))
        await killer.kill(options.kills)
        stopped.set()
    for client in load:
        await client.verify()
        client.close()
    return Outcome(
        seed=options.seed,
        back_within=options.back_within,
        seconds=time.monotonic() - started,
        tally=tally,
        deaths=killer.deaths,
    )


if __name__ == "__main__":
    sys.exit(main())
