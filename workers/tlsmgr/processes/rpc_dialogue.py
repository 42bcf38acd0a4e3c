"""A connection that speaks MessagePack-RPC, and the methods that one worker serves on it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeAlias

from tlsmgr.errors import ProtocolError, Status, TlsmgrError
from tlsmgr.figures.requests import MALFORMED, RequestFigures
from tlsmgr.messages import MalformedRequest, Reply, Request
from tlsmgr.processes.request_names import METHOD_NAMES, UNKNOWN, end_timing, request_figures
from tlsmgr.processes.short_way import Recall, recall_nothing
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
        figures: Counts the answers of all connections.
        recalled: Finds the session that a lookup asks for, and counts it: see ``ShortWay``.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        answer: Callable[[Request], Answer] | None = None,
        *,
        figures: RequestFigures | None = None,
        recalled: Recall = recall_nothing,
    ) -> None:
        self._methods = methods
        self._answer = answer
        self.figures = figures or request_figures()
        self.recalled = recalled

    def with_method(self, name: str, method: Method) -> "RpcMethods":
        """Return these methods and one more, for one connection's own."""
        methods = {**self._methods, name: method}
        return RpcMethods(methods, self._answer, figures=self.figures, recalled=self.recalled)

    def respond(self, call: rpc.Call) -> bytes | Deferred:
        """Return the response to a call, encoded; an error response if it cannot be carried out."""
        figures = self.figures
        figures.until_timed -= 1
        if not figures.until_timed:
            begun = figures.begin_timing()
            return end_timing(figures, self._name(call), begun, self.respond(call))
        message_id = _NO_ONE_WAITS if call.message_id is None else call.message_id
        try:
            method = self._methods.get(call.method)
            if method is not None:
                return self._encoded(message_id, call.method, method(call.params))
            return self._ask(message_id, call)
        except TlsmgrError as error:
            figures.rows[self._name(call)][error.status] += 1
            figures.refused += isinstance(error, ProtocolError)
            return rpc.encode_error(message_id, error.status, str(error))

    @property
    def requests(self) -> Callable[[rpc.WholeRequest], bytes | Deferred] | None:
        """What answers a request of the vocabulary, if no method of the worker's own does."""
        return None if self._answer is None or METHOD_NAMES & self._methods.keys() else self._respond_whole

    def _respond_whole(self, whole: rpc.WholeRequest) -> bytes | Deferred:
        """As ``respond``, for a request that is known to be well formed."""
        message_id, name, request = whole
        figures = self.figures
        figures.until_timed -= 1
        if not figures.until_timed:
            begun = figures.begin_timing()
            return end_timing(figures, name, begun, self._respond_whole(whole))
        return self._replied(message_id, name, self._answer(request))  # type: ignore[misc]  # see requests

    def _name(self, call: rpc.Call) -> str:
        """Return the method's name if there is such a method: clients do not name our figures."""
        name = call.method
        is_known = name in self._methods or (self._answer is not None and name in METHOD_NAMES)
        return name if is_known else UNKNOWN

    def _ask(self, message_id: int, call: rpc.Call) -> bytes | Deferred:
        if self._answer is None:
            raise ProtocolError(f"unknown method {call.method[:60]!r}")
        request = rpc.decode_request(call)
        reply = self._answer(request)
        if isinstance(request, MalformedRequest):
            raise ProtocolError(request.reason)
        return self._replied(message_id, call.method, reply)

    def _replied(self, message_id: int, name: str, reply: Answer) -> bytes | Deferred:
        if isinstance(reply, asyncio.Future):
            return Deferred(reply, partial(self._encode_late, name, message_id))
        self.figures.rows[name][reply.status] += 1
        return rpc.encode_reply(message_id, reply)

    def _encode_late(self, method: str, message_id: int, reply: Reply) -> bytes:
        self.figures.rows[method][reply.status] += 1
        return rpc.encode_reply(message_id, reply)

    def _encoded(
        self, message_id: int, name: str, result: Result | Coroutine[Any, Any, Result]
    ) -> bytes | Deferred:
        if isinstance(result, Mapping):
            return self._encode_result(message_id, name, result)
        return Deferred(asyncio.ensure_future(self._outcome(message_id, name, result)), bytes)

    async def _outcome(self, message_id: int, name: str, result: Coroutine[Any, Any, Result]) -> bytes:
        try:
            return self._encode_result(message_id, name, await result)
        except TlsmgrError as error:
            self.figures.rows[name][error.status] += 1
            self.figures.refused += isinstance(error, ProtocolError)
            return rpc.encode_error(message_id, error.status, str(error))

    def _encode_result(self, message_id: int, name: str, result: Result) -> bytes:
        status = result.get("status", Status.OK)
        self.figures.rows[name][status if isinstance(status, int) else Status.OK] += 1
        return rpc.encode_result(message_id, result)


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
        self._figures = methods.figures
        self._respond = methods.respond
        self._respond_whole = methods.requests
        self._recalled = methods.recalled
        self._find_lookup = self._reader.find_lookup
        self._take_request = self._reader.take_request
        self.feed = self._reader.feed

    @property
    def is_mid_request(self) -> bool:
        """Whether a message has arrived in part."""
        return self._reader.pending

    def answer_whole(self, data: bytes) -> bytes | Deferred | None:
        """Take what arrived; return the answer if that was exactly one of the six requests."""
        if self._respond_whole is None:
            self.feed(data)
            return None
        lookup = self._find_lookup(data)
        if lookup is not None:
            message_id, cache_type, cache_id = lookup
            session = self._recalled(cache_type, cache_id)
            if session is not None:
                return rpc.encode_found(message_id, session)
        try:
            whole = self._take_request(data)
        except ProtocolError:
            self._figures.rows[MALFORMED][Status.FAILED] += 1
            raise
        return None if whole is None else self._respond_whole(whole)

    def next_answer(self) -> bytes | Deferred | None:
        """Carry out the next call; return its answer: empty bytes for a notification, which has none."""
        call = self._next_call()
        if call is None:
            return None
        answer = self._answered(call)
        # None would say that no call is left: a flood of notifications counts, one by one.
        return b"" if answer is None else answer

    def _next_call(self) -> rpc.Call | None:
        try:
            return self._reader.next_call()
        except ProtocolError:
            self._figures.rows[MALFORMED][Status.FAILED] += 1
            raise

    def _answered(self, call: rpc.Call) -> bytes | Deferred | None:
        answer = self._respond(call)
        if call.message_id is not None:
            return answer
        # What a notification has under way counts among what this client waits for.
        return Deferred(answer.result, _say_nothing) if isinstance(answer, Deferred) else None
