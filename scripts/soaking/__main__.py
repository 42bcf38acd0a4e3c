"""Run the three workers under a mixed load for a while, and see whether what they hold stays flat.

Every few seconds it takes each worker's memory and descriptors and the sizes of the databases
and their write-ahead logs. It writes them as JSON, draws them as SVG, and says which series
still grew after the first quarter, of a run of five minutes or more. The exit code is 0 when
memory and descriptors are flat and every promised session was found, 1 when not.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from pathlib import Path

from rehearsal.load import Tally, clients
from rehearsal.results import RELIABILITY, circumstances, publish
from rehearsal.sandbox import Sandbox
from rehearsal.workers import Workers
from soaking.plot import svg
from soaking.sampling import Sample, sample
from soaking.verdict import judge, markdown
from tlsmgr.cli.workers import WORKERS

_PLOT = RELIABILITY.with_name("soak.svg")


def main() -> int:
    """Run it; return 0, or 1 when something grows or a promise was broken."""
    options = _options()
    tally = Tally()
    sys.stderr.write(f"seed {options.seed}\n")
    with Sandbox() as sandbox, Workers(sandbox.root / "supervisor", config_directory=sandbox.etc) as workers:
        processes = {name: workers.pid(name) for name in WORKERS}
        samples = asyncio.run(_soak(sandbox, processes, tally, options))
    judgements = judge(samples)
    faults = [*tally.complaints, *(f"{each.name} grows" for each in judgements if not each.is_flat)]
    text = f"{markdown(judgements)}\n\n{_summary(tally)}"
    sys.stdout.write(f"{text}\n")
    sys.stderr.write("".join(f"FAULT: {line}\n" for line in faults))
    _write(options, samples, tally, text)
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="default: 30")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples (default: 5)")
    parser.add_argument("--clients", type=int, default=8, help="half for each protocol (default: 8)")
    parser.add_argument("--keys", type=int, default=500, help="sessions of each client (default: 500)")
    parser.add_argument("--pause", type=float, default=0.004, help="of a client, in seconds (default: 0.004)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="default: a random one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the samples")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot")
    parser.add_argument("--publish", action="store_true", help="put both into docs/")
    return parser.parse_args()


async def _soak(
    sandbox: Sandbox, processes: dict[str, int], tally: Tally, options: argparse.Namespace
) -> list[Sample]:
    load = clients(
        sandbox, tally, options.seed, count=options.clients, keys=options.keys, pause=options.pause
    )
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for client in load:
            group.create_task(client.run(stopped))
        samples = await _watch(sandbox, processes, options.minutes * 60, options.every)
        stopped.set()
    for client in load:
        await client.verify()
        client.close()
    return samples


async def _watch(
    sandbox: Sandbox, processes: dict[str, int], seconds: float, interval: float
) -> list[Sample]:
    started = time.monotonic()
    samples = [sample(0.0, processes, sandbox.data)]
    while (now := time.monotonic() - started) < seconds:
        await asyncio.sleep(min(interval, seconds - now))
        samples.append(sample(time.monotonic() - started, processes, sandbox.data))
    return samples


def _summary(tally: Tally) -> str:
    return (
        f"{tally.answered.total():,} requests answered, {tally.promised:,} updates among them; at the end "
        f"{tally.verified:,} promised sessions were found byte for byte; {len(tally.complaints)} faults."
    )


def _write(options: argparse.Namespace, samples: list[Sample], tally: Tally, text: str) -> None:
    if options.json is not None:
        document = {
            "seed": options.seed,
            "answered": dict(tally.answered),
            "complaints": tally.complaints,
            "samples": [{"seconds": each.seconds, **each.figures} for each in samples],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.svg is not None:
        options.svg.write_text(svg(samples))
    if options.publish:
        _PLOT.write_text(svg(samples))
        command = f"scripts/soak --minutes {options.minutes:g} --seed {options.seed}"
        publish("soak", f"{circumstances(command)}\n\n![what the workers hold]({_PLOT.name})\n\n{text}")


if __name__ == "__main__":
    sys.exit(main())
