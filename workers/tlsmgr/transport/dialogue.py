"""What a server needs to know of a protocol: bytes in, answers out, no socket."""

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Deferred:
    """An answer that is not known yet.

    The future's result, run through ``encode``, is what to send. Whoever makes one
    promises that the future is done within a deadline, whatever happens; a future
    that is cancelled or fails ends the connection.
    """

    result: Future[Any]
    encode: Callable[[Any], bytes]


class EndOfDialogue(Exception):  # noqa: N818 - it is no error, as StopIteration is none
    """The connection is to be closed; what was answered before is still sent."""


class Dialogue(Protocol):
    """One connection's conversation.

    Attributes:
        greeting: What the server says before it was asked; mostly empty.
        in_order: Whether answers must be sent in the order of the requests.
    """

    greeting: bytes
    in_order: bool

    @property
    def is_mid_request(self) -> bool:
        """Whether a request has arrived in part."""

    def feed(self, data: bytes) -> None:
        """Take what arrived, in any pieces."""

    def answer_whole(self, data: bytes) -> bytes | Deferred | None:
        """Take what arrived; return the answer if that was exactly one request: mostly it is.

        With None, ``next_answer`` has the answers, if there are any. Raises what that raises.
        """

    def next_answer(self) -> bytes | Deferred | None:
        """Return the answer to the next request that is complete, or None when there is none.

        Empty bytes are the answer to what gets none: the server counts how many requests of one
        client it has carried out before the others' turn.

        Raises:
            EndOfDialogue: This connection is over.
            ProtocolError: The peer does not speak the protocol.
        """
