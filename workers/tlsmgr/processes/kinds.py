"""The three workers, by name."""

from tlsmgr.processes import cache_server, expiry_sweeper, prng_server
from tlsmgr.processes.lifecycle import WorkerKind

KINDS: dict[str, WorkerKind] = {
    kind.name: kind for kind in (cache_server.KIND, prng_server.KIND, expiry_sweeper.KIND)
}
