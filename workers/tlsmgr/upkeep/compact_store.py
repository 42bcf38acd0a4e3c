"""Give the disk space back that removed sessions have left free in the stores."""

import argparse
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import StoreBusyError, StoreError
from tlsmgr.processes.stores import store_directories
from tlsmgr.storage.compaction import compact, free_bytes
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.upkeep.job import Job, in_place_of, run

# The cache server gives back 32 pages at a time, with 10 ms between, and keeps some for what comes.
_PAUSE_SECONDS = 0.2
_KEPT_BYTES = 2 << 20
_KEPT_SHARE = 8


def _carry_out(settings: Settings, options: argparse.Namespace) -> Iterator[str]:
    directories = [each for each in store_directories(settings).values() if (each / "cache.db").exists()]
    with in_place_of(settings, "cache-server") as no_server, in_place_of(settings, "expiry-sweeper") as alone:
        if no_server:
            do = partial(compact, now=time.time()) if alone else _give_back
        else:
            do = partial(_await_server, seconds=options.wait)
        for directory in directories:
            try:
                do(directory)
            except StoreError as error:
                yield str(error)


def _give_back(directory: Path) -> None:
    """Do what the cache server does, in its place, beside the expiry sweeper."""
    with SessionStore(directory, checkpoints=True, lock_wait=2.0) as store:
        while store.release_space():
            time.sleep(0.002)


def _await_server(directory: Path, seconds: float) -> None:
    """See that the cache server does it: nobody else may move its log."""
    give_up_at = time.monotonic() + seconds
    while (free := free_bytes(directory)) > _kept(directory):
        if time.monotonic() >= give_up_at:
            raise StoreBusyError(
                f"session store {directory}: {free} bytes are still free after {seconds:g} s;"
                " try again when there is less to do, or while tlsmgr:cache-server is stopped"
            )
        time.sleep(_PAUSE_SECONDS)


def _kept(directory: Path) -> int:
    return max(_KEPT_BYTES, (directory / "cache.db").stat().st_size // _KEPT_SHARE)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long a running cache server may take for it (default: %(default)s)",
    )


JOB = Job(
    name="compact-store",
    description="Give the disk space back that removed sessions left free. While the cache server runs,"
    " it does so itself, and this only waits for it.",
    carry_out=_carry_out,
    add_options=_add_options,
)

if __name__ == "__main__":
    sys.exit(run(JOB))
