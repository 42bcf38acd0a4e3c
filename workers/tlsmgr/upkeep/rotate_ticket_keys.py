"""Have a new session ticket key made; tickets of the one before can still be decrypted."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import suppress

from tlsmgr.config.settings import Settings
from tlsmgr.errors import HostError
from tlsmgr.service.ticket_keys import rotation_mark
from tlsmgr.upkeep.job import Job, call, in_place_of, run

_WORKER = "cache-server"


def _carry_out(settings: Settings, _: argparse.Namespace) -> Iterator[str]:
    with in_place_of(settings, _WORKER) as stopped:
        if stopped:
            _leave_mark(settings)
            return
    answer = call(settings, _WORKER, "rotate")
    if answer.get("status") != 0:
        yield str(answer.get("reason", "the cache server did not rotate its ticket keys"))


def _leave_mark(settings: Settings) -> None:
    """Have the cache server do it when it starts: only it can open the keys on disk."""
    mark = rotation_mark(settings.data_directory)
    try:
        with suppress(FileExistsError):  # whatever it is: that it is there is what counts
            mark.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise HostError(f"cannot make {mark}: {error.strerror}; check data_directory") from error


JOB = Job(
    name="rotate-ticket-keys",
    description="Encrypt new session tickets with a new key. The key before it still decrypts, for its"
    " time. While the cache server is stopped, it is told to do so when it starts.",
    carry_out=_carry_out,
)

if __name__ == "__main__":
    sys.exit(run(JOB))
