"""Look whether the session stores are whole, within their limits, and sealed."""

import argparse
import sys
from collections.abc import Iterator

from tlsmgr.config.settings import Settings
from tlsmgr.errors import StoreError
from tlsmgr.processes.stores import store_directories
from tlsmgr.sealing.sealer import FORMAT_VERSION, OVERHEAD
from tlsmgr.storage.limits import StoreLimits
from tlsmgr.storage.verification import SealedForm, defects
from tlsmgr.upkeep.job import Job, run


def _carry_out(settings: Settings, _: argparse.Namespace) -> Iterator[str]:
    limits = StoreLimits(
        entries=settings.tlsmgr_session_cache_entry_limit, size=settings.tlsmgr_session_cache_size_limit
    )
    sealed = SealedForm(prefix=FORMAT_VERSION, size=OVERHEAD)
    for directory in store_directories(settings).values():
        if directory.exists():
            try:
                yield from defects(directory, limits, sealed)
            except StoreError as error:
                yield str(error)
        for aside in sorted(directory.parent.glob(f"{directory.name}.damaged-*")):
            yield f"{aside}: was set aside as damaged; the log of that time says why; remove it when you know"


JOB = Job(
    name="verify-store",
    description="Look whether the session stores are whole, within their limits, and sealed.",
    carry_out=_carry_out,
)

if __name__ == "__main__":
    sys.exit(run(JOB))
