"""Storm a cache server of its own with clients, and say how long they waited and what it held."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmark.needs import missing
from benchmark.servers import debian
from rehearsal.directories import traversable_directory
from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from storming.process_figures import descriptors, resident_mebibytes
from storming.silent import silent_clients
from storming.storm import Figures, StormError, compiled, storm
from tlsmgr.client import Client

#: All in one instant, as no host of mail sends them, and over one second.
_SPREADS = (0, 1000)
_DEADLINE_SECONDS = 30


def main() -> int:
    """Storm; return 1 when a client met an error or a descriptor is left over."""
    options = _options()
    lacking = missing(shared=False) if options.postfix else []
    if lacking:
        sys.stderr.write("".join(f"scripts/storm: {line}\n" for line in lacking))
        return 71
    try:
        with tempfile.TemporaryDirectory(prefix="tlsmgr-storm.") as directory, Sandbox() as sandbox:
            program = compiled(Path(directory))
            sandbox.start("prng-server")
            worker = sandbox.start("cache-server")
            status = _measure(options, sandbox, worker, program)
            if options.postfix:
                _storm_postfix(options, program)
            return status
    except StormError as error:
        sys.stderr.write(f"scripts/storm: {error}\n")
        return 71


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/storm", description=__doc__)
    parser.add_argument("--clients", type=int, default=2000, help="that come at once (2000)")
    parser.add_argument("--requests", type=int, default=4, help="of each (4)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (5)")
    parser.add_argument("--silent", type=int, default=100, help="clients that do not read (100)")
    parser.add_argument(
        "--postfix", action="store_true", help="storm Postfix's own tlsmgr, too: needs Postfix, and root"
    )
    return parser.parse_args()


def _measure(options: argparse.Namespace, sandbox: Sandbox, worker: RunningWorker, program: Path) -> int:
    before = _descriptors_at_rest(sandbox, worker)
    print(f"{options.clients} clients with {options.requests} requests each; median, p99, worst in ms")  # noqa: T201 - the report
    errors = _storm_all(options, sandbox.postfix_socket, program)
    errors += _with_silent_ones(options, sandbox.postfix_socket, worker, program)
    left = _descriptors_at_rest(sandbox, worker) - before
    print(f"descriptors left over: {left}")  # noqa: T201 - the report
    return 1 if errors or left else 0


def _storm_postfix(options: argparse.Namespace, program: Path) -> None:
    with traversable_directory("tlsmgr-storm.") as directory, debian(directory) as postfix:
        print("Postfix's own tlsmgr:")  # noqa: T201 - the report
        _storm_all(options, postfix.tlsmgr.path, program)


def _storm_all(options: argparse.Namespace, socket: Path, program: Path) -> int:
    errors = 0
    for milliseconds in _SPREADS:
        for figures in _storms(options, socket, program, milliseconds):
            errors += figures.errors
            print(_line(f"over {milliseconds} ms", figures))  # noqa: T201 - the report
    return errors


def _storms(options: argparse.Namespace, socket: Path, program: Path, milliseconds: int) -> Iterator[Figures]:
    for _ in range(options.rounds):
        yield storm(
            program, socket, clients=options.clients, requests=options.requests, milliseconds=milliseconds
        )


def _with_silent_ones(options: argparse.Namespace, socket: Path, worker: RunningWorker, program: Path) -> int:
    memory = resident_mebibytes(worker.pid)
    held = descriptors(worker.pid)
    started = time.monotonic()
    with silent_clients(socket, options.silent):
        figures = storm(program, socket, clients=options.clients // 10, requests=4, milliseconds=1000)
        more = resident_mebibytes(worker.pid) - memory
        wait_for(
            "end of the silent clients",
            lambda: descriptors(worker.pid) <= held,
            seconds=_DEADLINE_SECONDS,
        )
    seconds = time.monotonic() - started
    print(_line(f"beside {options.silent} that do not read", figures))  # noqa: T201 - the report
    print(f"these made the cache server hold {more:.1f} MiB more, and were dropped after {seconds:.1f} s")  # noqa: T201 - the report
    return figures.errors


def _descriptors_at_rest(sandbox: Sandbox, worker: RunningWorker) -> int:
    """Return how many descriptors there are when all clients but the one that asks have gone."""
    with sandbox.client() as client:
        wait_for("end of all connections", lambda: _open_connections(client) == 1)
        return descriptors(worker.pid)


def _open_connections(client: Client) -> int:
    match client.call("stats"):
        case {"connections": {"postfix": {"open": int(postfix)}, "rpc": {"open": int(rpc)}}}:
            return postfix + rpc
    raise StormError("the cache server's statistics do not tell of its connections")


def _line(name: str, figures: Figures) -> str:
    greeting, answer = (
        f"{each.median:7.1f} {each.p99:7.1f} {each.worst:7.1f}" for each in (figures.greeting, figures.answer)
    )
    return f"{name:>28}: connecting {greeting}, answers {answer}, errors {figures.errors}"


if __name__ == "__main__":
    sys.exit(main())
