"""One call of a worker's method."""

from pathlib import Path
from typing import Any

from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError
from tlsmgr.processes.crash_record import why_given_up


def call_for_map(client: Client, method: str, *params: object) -> dict[str, Any]:
    """Return a worker's answer to a call, which is a map for every method.

    Raises:
        ServerUnavailableError: It does not answer.
        ProtocolError: It refused, or sent something else.
    """
    answer = client.call(method, *params)
    if not isinstance(answer, dict):
        raise ProtocolError(f"the answer to {method} is no map; is it tlsmgr's?")
    return answer


def why_silent(run_directory: Path, worker: str, error: Exception) -> str:
    """Return why a worker does not answer: it was given up, or else what asking it came to."""
    reason = why_given_up(run_directory, worker)
    return f"GIVEN UP: {reason}" if reason else str(error)
