"""One client's connection: reads requests, writes answers, within bounds and deadlines."""

import asyncio
import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import cast

from tlsmgr.errors import ProtocolError
from tlsmgr.transport.deadline import Deadline, Deadlines
from tlsmgr.transport.dialogue import Deferred, Dialogue, EndOfDialogue
from tlsmgr.transport.peer import PeerCredentials

_log = logging.getLogger(__name__)

# Answers that one client may wait for at a time; beyond, it is not read from.
_UNANSWERED_MAX = 1024
# Answers are written together up to so many bytes: so much at most is held for a client that does
# not read them, besides what the kernel holds.
_BATCH_SIZE = 65536
# Requests of one client that are answered before the event loop sees to the others again: 0.1 to 1 ms.
_REQUESTS_PER_TURN = 32
_FRAMES_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for all connections of one server."""

    make_dialogue: Callable[[PeerCredentials], Dialogue]
    deadlines: Deadlines
    on_close: Callable[["Connection"], None]
    #: Told when we begin to hold bytes for a client (half a request, requests that wait for their
    #: turn, or answers that it does not read), when it gets on, and when that is over.
    on_hold: Callable[["Connection", bool], None]


class Connection(asyncio.Protocol):
    """Carries one dialogue over one socket.

    Attributes:
        was_used: Whether it is new, or anything has arrived, since this was set to False.
    """

    def __init__(self, rules: Rules, peer: PeerCredentials) -> None:
        self._rules = rules
        self._dialogue = rules.make_dialogue(peer)
        self.was_used = True
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1  # from the moment on in which the transport may close it, too
        self._unanswered = 0
        self._peer_reads = True
        self._is_reading = True
        self._is_closing = False  # nothing more is read, but what was read is answered
        self._is_over = False  # nothing more is answered, but what has been answered is sent
        self._has_progressed = False
        self._holds = False
        self._next_turn: asyncio.Handle | None = None  # there, while more may be waiting to be answered
        self._half_request = Deadline()
        self._write = Deadline()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the peer."""
        self._transport = cast("asyncio.Transport", transport)
        # So that we are told as soon as anything is left that the kernel did not take.
        self._transport.set_write_buffer_limits(high=0)
        self._descriptor = transport.get_extra_info("socket").fileno()
        if self._is_closing:
            self.abort()
        elif self._dialogue.greeting:
            self._transport.write(self._dialogue.greeting)

    def data_received(self, data: bytes) -> None:
        """Answer what has arrived in full."""
        if self._is_closing:
            return
        self.was_used = True
        if self._unanswered and self._is_reading and not self._may_take_another():
            # Only now: a client that asks one thing at a time is never paused, which costs two
            # system calls a request, and one that does not is held at a chunk more.
            self._hold_reading()
        self._answer_what_is_complete(data)

    def eof_received(self) -> bool:
        """Answer what a peer asked before it ended its side, and keep the other open for that."""
        self.drain()
        return True

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read, and give it a deadline."""
        self._peer_reads = False
        self._write.start(self._rules.deadlines.write, self._give_up_writing)
        self._note_holding()
        self._adjust_reading()

    def resume_writing(self) -> None:
        """Go on with a peer that reads again."""
        self._peer_reads = True
        self._write.end()
        self._answer_what_is_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; answers still under way have nowhere to go."""
        del exc  # the peer's way of going away changes nothing here
        self._is_closing = True
        self._descriptor = -1
        self._transport = None
        self._half_request.end()
        self._write.end()
        if self._next_turn is not None:
            self._next_turn.cancel()
        self._rules.on_close(self)

    @property
    def awaits_answers(self) -> bool:
        """Whether a request is being answered, or waits for its turn."""
        return self._unanswered > 0 or self._next_turn is not None

    def drain(self) -> None:
        """Read no more, answer what was read, and close."""
        if not self._is_closing:
            self._finish()

    def abort(self) -> None:
        """Close at once, whatever has not been answered or sent."""
        self._is_closing = self._is_over = True
        self._descriptor = -1
        if self._transport is not None:
            self._transport.abort()

    def _answer_what_is_complete(self, data: bytes = b"") -> None:
        if self._transport is None:
            return
        try:
            if data and self._answers_at_once(self._transport, data):
                return
            self._take_requests(self._transport)
        except EndOfDialogue:
            self._is_over = True
        except ProtocolError as error:
            _log.warning("closing a connection: %s", error)
            self._is_over = True
        except Exception as error:  # noqa: BLE001 - a defect, logged; the client must not wait for ever
            self._end_for_defect(error)
        self._after_answering()

    def _take_turn(self) -> None:
        self._next_turn = None
        self._answer_what_is_complete()

    def _answers_at_once(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Take ``data``, and tell whether it was the usual case: one whole request, its answer known.

        Whatever else there was is for the general way to go on with.
        """
        if self._unanswered or self._half_request.timer or not (self._peer_reads and self._is_reading):
            self._dialogue.feed(data)
            return False
        answer = self._dialogue.answer_whole(data)
        if isinstance(answer, bytes):
            self._write_at_once(transport, answer)
            return True
        if answer is not None:
            self._await(answer)
        return False

    def _write_at_once(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Write without the way through the transport's queue, which takes a tenth of a request's time.

        Only where the peer reads: then the transport holds nothing that has to go first.
        """
        sent = 0
        if self._descriptor >= 0:
            try:
                sent = os.write(self._descriptor, answer)
            except OSError:
                sent = 0  # full or gone: the transport finds out by itself
        if sent < len(answer):
            transport.write(answer[sent:])

    def _take_requests(self, transport: asyncio.Transport) -> None:
        batch = bytearray()
        try:
            for _ in range(_REQUESTS_PER_TURN):
                answer = self._dialogue.next_answer() if self._may_take_another() else None
                if answer is None:
                    break
                self._has_progressed = True
                if isinstance(answer, Deferred):
                    self._await(answer)
                    continue
                batch += answer
                if len(batch) >= _BATCH_SIZE:
                    full, batch = batch, bytearray()
                    transport.write(full)
            else:
                self._go_on_soon()
        finally:
            if batch:
                transport.write(batch)

    def _go_on_soon(self) -> None:
        """Have the next turn, after what the event loop has for the other clients."""
        if self._next_turn is None and self._transport is not None:
            self._next_turn = self._loop.call_soon(self._take_turn)

    def _may_take_another(self) -> bool:
        limit = 1 if self._dialogue.in_order else _UNANSWERED_MAX
        return self._unanswered < limit and self._peer_reads and not self._is_over

    def _await(self, answer: Deferred) -> None:
        self._unanswered += 1
        answer.result.add_done_callback(partial(self._send_deferred, answer))

    def _send_deferred(self, answer: Deferred, result: "asyncio.Future[object]") -> None:
        self._unanswered -= 1
        try:
            encoded = answer.encode(result.result())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
            self._end_for_defect(error)
        else:
            if self._transport is not None:
                self._transport.write(encoded)
        if self._unanswered:
            # One of many: the room that all of them leave is filled at once.
            self._go_on_soon()
        else:
            self._answer_what_is_complete()

    def _end_for_defect(self, error: BaseException) -> None:
        # Without the error's own words: they might quote a session, a seed or a key.
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_SHOWN:]
        places = ", ".join(f"{PurePath(each.filename).name}:{each.lineno}" for each in frames)
        _log.error(
            "closing a connection: a request could not be answered: %s at %s", type(error).__name__, places
        )
        self._is_over = True

    def _after_answering(self) -> None:
        self._note_holding()
        if self._is_closing or self._is_over:
            self._finish()
        else:
            self._adjust_reading()

    def _note_holding(self) -> None:
        holds = not self._peer_reads or self._dialogue.is_mid_request
        if (holds is not self._holds or (holds and self._has_progressed)) and self._transport:
            self._holds = holds
            self._rules.on_hold(self, holds)

    def _adjust_reading(self) -> None:
        if self._transport is None or self._is_closing:
            return
        should_read = self._next_turn is None and self._may_take_another()
        if should_read and not self._is_reading:
            self._is_reading = True
            self._transport.resume_reading()
        elif self._is_reading and not (self._next_turn is None and self._peer_reads):
            self._hold_reading()
        self._time_half_request(is_expected=should_read and self._dialogue.is_mid_request)

    def _hold_reading(self) -> None:
        if self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()

    def _time_half_request(self, *, is_expected: bool) -> None:
        # Each request that is completed gives the next one its full time: a client that keeps
        # sending may have a half one under way whenever we look.
        if self._has_progressed or not is_expected:
            self._half_request.end()
        self._has_progressed = False
        if is_expected:
            self._half_request.start(self._rules.deadlines.half_request, self._give_up_reading)

    def _finish(self) -> None:
        self._is_closing = True
        self._half_request.end()
        # Requests may still wait behind an unread answer; the write deadline bounds that.
        if self._transport is not None and not self.awaits_answers and self._peer_reads:
            self._descriptor = -1
            self._transport.close()

    def _give_up_reading(self) -> None:
        _log.warning("closing a connection: half a request, and then nothing for too long")
        self.abort()

    def _give_up_writing(self) -> None:
        _log.warning("closing a connection: the client does not read its answers")
        self.abort()
