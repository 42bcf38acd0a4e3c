"""A connection that speaks MessagePack-RPC, and the methods that one worker serves on it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeAlias

from tlsmgr.errors import ProtocolError, TlsmgrError
from tlsmgr.messages import MalformedRequest, Request
from tlsmgr.service.answers import Answer
from tlsmgr.transport.dialogue import Deferred
from tlsmgr.wire import rpc

Result: TypeAlias = Mapping[str, object]
#: Takes the call's params; raises ProtocolError when they are not what the method takes.
Method: TypeAlias = Callable[[tuple[object, ...]], Result | Coroutine[Any, Any, Result]]

_NO_ONE_WAITS = 0


def without_params(method: Callable[[], Result | Coroutine[Any, Any, Result]]) -> Method:
    """Return ``method`` as one that refuses params."""

    def checked(params: tuple[object, ...]) -> Result | Coroutine[Any, Any, Result]:
        if params:
            raise ProtocolError("this method takes no params")
        return method()

    return checked


class RpcMethods:
    """Answers calls.

    Args:
        methods: What this worker serves, by name.
        answer: Answers the six requests of the vocabulary; None for a worker that
            serves none of them.
    """

    def __init__(
        self, methods: Mapping[str, Method], answer: Callable[[Request], Answer] | None = None
    ) -> None:
        self._methods = methods
        self._answer = answer

    def with_method(self, name: str, method: Method) -> "RpcMethods":
        """Return these methods and one more, for one connection's own."""
        return RpcMethods({**self._methods, name: method}, self._answer)

    def respond(self, call: rpc.Call) -> bytes | Deferred:
        """Return the response to a call, encoded; an error response if it cannot be carried out."""
        message_id = _NO_ONE_WAITS if call.message_id is None else call.message_id
        try:
            method = self._methods.get(call.method)
            if method is not None:
                return self._call(message_id, method, call.params)
            return self._ask(message_id, call)
        except TlsmgrError as error:
            return rpc.encode_error(message_id, error.status, str(error))

    def _ask(self, message_id: int, call: rpc.Call) -> bytes | Deferred:
        if self._answer is None:
            raise ProtocolError(f"unknown method {call.method[:60]!r}")
        request = rpc.decode_request(call)
        reply = self._answer(request)
        if isinstance(request, MalformedRequest):
            raise ProtocolError(request.reason)
        if isinstance(reply, asyncio.Future):
            return Deferred(reply, partial(rpc.encode_reply, message_id))
        return rpc.encode_reply(message_id, reply)

    def _call(self, message_id: int, method: Method, params: tuple[object, ...]) -> bytes | Deferred:
        result = method(params)
        if isinstance(result, Mapping):
            return rpc.encode_result(message_id, result)
        return Deferred(asyncio.ensure_future(_outcome(message_id, result)), bytes)


async def _outcome(message_id: int, result: Coroutine[Any, Any, Result]) -> bytes:
    try:
        return rpc.encode_result(message_id, await result)
    except TlsmgrError as error:
        return rpc.encode_error(message_id, error.status, str(error))


def _say_nothing(_: object) -> bytes:
    return b""


class RpcDialogue:
    """Reads calls, has them answered, and writes the responses as they come.

    Args:
        limit: Bytes of one message.
        methods: What answers.
    """

    greeting = b""
    in_order = False

    def __init__(self, limit: int, methods: RpcMethods) -> None:
        self._reader = rpc.CallReader(limit)
        self._respond = methods.respond
        self._take_whole = self._reader.take_whole
        self.feed = self._reader.feed

    @property
    def is_mid_request(self) -> bool:
        """Whether a message has arrived in part."""
        return self._reader.pending

    def answer_whole(self, data: bytes) -> bytes | Deferred | None:
        """Take what arrived; return the answer if that was exactly one call that has one."""
        call = self._take_whole(data)
        return None if call is None else self._answered(call)

    def next_answer(self) -> bytes | Deferred | None:
        """Return the next answer; a notification is carried out and has none."""
        while (call := self._reader.next_call()) is not None:
            answer = self._answered(call)
            if answer is not None:
                return answer
        return None

    def _answered(self, call: rpc.Call) -> bytes | Deferred | None:
        answer = self._respond(call)
        if call.message_id is not None:
            return answer
        # What a notification has under way counts among what this client waits for.
        return Deferred(answer.result, _say_nothing) if isinstance(answer, Deferred) else None
