"""One call of a worker's method."""

from typing import Any

from tlsmgr.client import Client
from tlsmgr.errors import ProtocolError


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
