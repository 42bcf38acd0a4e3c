"""Let three workers sweep a store of which half expired at once, and measure how long clients wait."""

import argparse
import json
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median

from benchmark.load import LoadError, LoadGenerator, Measurement, compiled
from benchmark.workloads import Protocol, Workload, encoded, workloads
from rehearsal.process_table import resident
from rehearsal.running_worker import RunningWorker
from rehearsal.sandbox import Sandbox
from rehearsal.waiting import NotInTimeError, wait_for
from sweeping.filling import fill
from tlsmgr.sealing.keys import SEALING_KEY_SIZE

_DONE = "cache smtpd full cleanup"
# Or else what is saved meanwhile would remove what is to be swept.
_NO_LIMITS = ("tlsmgr_session_cache_entry_limit = 0", "tlsmgr_session_cache_size_limit = 0")
_REMOVED = re.compile(r"full cleanup: retained=\d+ dropped=(\d+) entries")
_SWEEP_SECONDS, _SHRUNK_SECONDS, _REST_SECONDS = 600.0, 300.0, 3.0
_KIBIBYTE, _MEBIBYTE = 2**10, 2**20
# What each kind of request may take in 99 of 100 cases, in milliseconds, and the sweep in seconds.
_TARGETS = {
    "ready s, empty": 1.5,
    "ready s": 3.0,
    "sweep s": 60.0,
    "lookup p99 ms": 2.0,
    "update p99 ms": 20.0,
    # tlsmgr_memory_cache_size, which is 64 MiB, included.
    "cache server MiB": 214.0,
    "sweeper MiB": 60.0,
}


def main() -> int:
    """Fill, sweep and measure; print the figures, and return 71 when that was not possible."""
    options = _options()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="tlsmgr-sweep.") as directory,
            Sandbox(caches=["smtpd"]) as sandbox,
        ):
            generator = LoadGenerator(path=compiled("load", Path(directory)))
            figures = _measure(options, sandbox, generator)
    except (LoadError, NotInTimeError) as error:
        sys.stderr.write(f"scripts/sweep-at-scale: {error}\n")
        return 71
    for name, figure in figures.items():
        target = f"  (target: below {_TARGETS[name]:g})" if name in _TARGETS else ""
        sys.stdout.write(f"{name}: {figure:.3g}{target}\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/sweep-at-scale", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="sessions (1000000)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement (4)")
    parser.add_argument("--lookups", type=float, default=1500.0, help="lookups a second (1500)")
    parser.add_argument("--updates", type=float, default=300.0, help="updates a second (300)")
    parser.add_argument("--connections", type=int, default=16, help="for each of both (16)")
    parser.add_argument("--json", type=Path, help="where to write the figures, too")
    return parser.parse_args()


def _measure(options: argparse.Namespace, sandbox: Sandbox, generator: LoadGenerator) -> dict[str, float]:
    store = sandbox.data / "smtpd_scache"
    secret = secrets.token_bytes(SEALING_KEY_SIZE)
    key_file = sandbox.root / "key"
    key_file.write_text(secret.hex())
    key_file.chmod(0o600)
    sandbox.configure(f"tlsmgr_sealing_key_file = {key_file}", *_NO_LIMITS)
    sandbox.start("prng-server")
    figures = {"entries": float(options.entries)}
    empty, figures["ready s, empty"] = _started(sandbox)
    empty.stop()
    fill(store, options.entries, secret)
    server, figures["ready s"] = _started(sandbox)
    figures["file before MiB"] = _size(store, "cache.db")
    before = _round(options, sandbox, generator, store)
    for name in ("lookup p99 ms", "update p99 ms"):
        figures[f"{name}, no sweep yet"] = before[name]
    began = time.monotonic()
    sweeper = sandbox.start("expiry-sweeper")
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(_end_of_sweep, sweeper)
        rounds = list(_rounds(options, sandbox, generator, ended, store))
        figures["sweep s"] = ended.result() - began
    figures["swept"] = _swept(sweeper, options.entries)
    for name in rounds[0]:
        figures[name] = max(each[name] for each in rounds)
        figures[f"{name}, median"] = median(each[name] for each in rounds)
    figures["cache server MiB"] = resident(server.pid) / _KIBIBYTE
    figures["sweeper MiB"] = resident(sweeper.pid) / _KIBIBYTE
    _await_rest(store)
    figures["file after MiB"] = _size(store, "cache.db")
    return figures


def _started(sandbox: Sandbox) -> tuple[RunningWorker, float]:
    """Start the cache server; return it, and the seconds until it answered."""
    began = time.monotonic()
    return sandbox.start("cache-server"), time.monotonic() - began


def _rounds(
    options: argparse.Namespace,
    sandbox: Sandbox,
    generator: LoadGenerator,
    ended: Future[float],
    store: Path,
) -> Iterator[dict[str, float]]:
    """Measure again and again, at least once, until the sweep is over."""
    while True:
        yield _round(options, sandbox, generator, store)
        if ended.done():
            return


def _round(
    options: argparse.Namespace, sandbox: Sandbox, generator: LoadGenerator, store: Path
) -> dict[str, float]:
    known = {workload.name: workload for workload in workloads()}

    def run(workload: Workload, rate: float) -> Measurement:
        return generator.measure(
            sandbox.postfix_socket,
            Protocol.ATTRIBUTES,
            encoded(workload.requests, Protocol.ATTRIBUTES),
            connections=options.connections,
            rate=rate,
            seconds=options.seconds,
            keys=options.entries // 2,
        )

    with ThreadPoolExecutor() as pool:
        lookup = pool.submit(run, known["lookup"], options.lookups)
        update = pool.submit(run, known["update"], options.updates)
        return {
            "lookup p99 ms": lookup.result().p99 / 1000,
            "update p99 ms": update.result().p99 / 1000,
            "errors": float(lookup.result().errors + update.result().errors),
            "log MiB": _size(store, "cache.db-wal"),
        }


def _swept(sweeper: RunningWorker, entries: int) -> float:
    """Return how many sessions the sweep removed, which is half of them."""
    removed = sum(map(int, _REMOVED.findall(sweeper.log)))
    if removed != entries // 2:
        raise LoadError(f"{removed} sessions were removed, not {entries // 2}")
    return float(removed)


def _end_of_sweep(sweeper: RunningWorker) -> float:
    wait_for("end of the sweep", lambda: _DONE in sweeper.log, seconds=_SWEEP_SECONDS)
    return time.monotonic()


def _await_rest(store: Path) -> None:
    """Return when the file has not become smaller for some seconds."""
    sizes: list[tuple[float, float]] = []

    def rests() -> bool:
        size = _size(store, "cache.db")
        if not sizes or size < sizes[-1][1]:
            sizes.append((time.monotonic(), size))
        return time.monotonic() - sizes[-1][0] > _REST_SECONDS

    wait_for("rest of the file", rests, seconds=_SHRUNK_SECONDS)


def _size(store: Path, name: str) -> float:
    return (store / name).stat().st_size / _MEBIBYTE


if __name__ == "__main__":
    sys.exit(main())
