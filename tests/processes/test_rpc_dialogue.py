"""What a connection that speaks MessagePack-RPC gives the server to write."""

from collections.abc import Mapping

import msgpack

from tlsmgr.processes.rpc_dialogue import RpcDialogue, RpcMethods, without_params

_NOTIFICATION: bytes = msgpack.packb([2, "count", []])
_CALL: bytes = msgpack.packb([0, 1, "count", []])


def test_each_notification_is_an_answer_of_no_bytes() -> None:
    """One at a time, so that the server can have the others' turn in between."""
    counted: list[None] = []

    def count() -> Mapping[str, object]:
        counted.append(None)
        return {}

    dialogue = RpcDialogue(1000, RpcMethods({"count": without_params(count)}))
    dialogue.feed(2 * _NOTIFICATION + _CALL)

    assert (dialogue.next_answer(), len(counted)) == (b"", 1)
    assert (dialogue.next_answer(), len(counted)) == (b"", 2)
    assert dialogue.next_answer()
    assert dialogue.next_answer() is None
