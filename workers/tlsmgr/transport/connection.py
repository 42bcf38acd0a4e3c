"""One client's connection: reads requests, writes answers, within bounds and deadlines."""

import asyncio
import logging
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath

from tlsmgr.errors import ProtocolError
from tlsmgr.transport.deadline import Deadline, Deadlines
from tlsmgr.transport.dialogue import Deferred, Dialogue, EndOfDialogue
from tlsmgr.transport.peer import PeerCredentials
from tlsmgr.transport.stream import Stream
from tlsmgr.transport.turns import Turns

_log = logging.getLogger(__name__)

# Answers that one client may wait for at a time; beyond, it is not read from.
_UNANSWERED_MAX = 1024
# Answers are written together up to so many bytes: so much at most is held for a client that does
# not read them, besides what the kernel holds.
_BATCH_SIZE = 65536
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
    turns: Turns = field(default_factory=Turns)


class Connection:
    """Carries one dialogue over one socket.

    Attributes:
        was_used: Whether it is new, or anything has arrived, since this was set to False.

    Args:
        accepted: Connected and non-blocking; owned by this object unless it raises OSError.
    """

    def __init__(self, rules: Rules, peer: PeerCredentials, accepted: socket.socket) -> None:
        self._rules = rules
        self._dialogue = rules.make_dialogue(peer)
        self._answer_whole = self._dialogue.answer_whole
        self.was_used = True
        self._loop = asyncio.get_running_loop()
        self._unanswered = 0
        # Whatever came was one whole request at a time, and each answer that is known was sent: no
        # byte is held for the client. So it is nearly always, and then there is least to do.
        self._goes_smoothly = True
        self._peer_reads = True
        self._is_reading = True
        self._is_closing = False  # nothing more is read, but what was read is answered
        self._is_over = False  # nothing more is answered, but what has been answered is sent
        self._has_progressed = False
        self._holds = False
        self._next_turn: asyncio.Handle | None = None  # there, while more may be waiting to be answered
        self._half_request = Deadline()
        self._write = Deadline()
        self._stream = Stream(accepted, self)
        if self._dialogue.greeting:
            self._stream.write(self._dialogue.greeting)

    def data_received(self, data: bytes) -> None:
        """Answer what has arrived in full."""
        self.was_used = True
        if not self._goes_smoothly or self._unanswered:
            self._take_more(data)
            return
        try:
            answer = self._answer_whole(data)
        except Exception as error:  # noqa: BLE001 - see there
            self._end_for(error)
            self._after_answering()
            return
        if isinstance(answer, bytes):
            self._stream.write(answer)
        elif answer is not None:
            self._await(answer)
        else:
            self._answer_what_is_complete()

    def eof_received(self) -> None:
        """Answer what a peer asked before it ended its side, and keep the other open for that."""
        self.drain()

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read, and give it a deadline."""
        self._goes_smoothly = False
        self._peer_reads = False
        self._write.start(self._rules.deadlines.write, self._give_up_writing)
        self._note_holding()
        self._adjust_reading()

    def resume_writing(self) -> None:
        """Go on with a peer that reads again."""
        self._peer_reads = True
        self._write.end()
        self._answer_what_is_complete()

    def connection_lost(self) -> None:
        """Forget the connection; answers still under way have nowhere to go."""
        self._is_closing = self._is_over = True
        self._goes_smoothly = False
        self._half_request.end()
        self._write.end()
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._end_turn()
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
        self._goes_smoothly = False
        self._stream.close()

    def _take_more(self, data: bytes) -> None:
        """Take what comes while something is under way."""
        if self._is_closing:
            return
        if self._unanswered and self._is_reading and not self._may_take_another():
            # Only now: a client that asks one thing at a time is never paused, which costs two
            # system calls a request, and one that does not is held at a chunk more.
            self._hold_reading()
        self._dialogue.feed(data)
        self._answer_what_is_complete()

    def _answer_what_is_complete(self, at_most: int = 0) -> None:
        try:
            self._take_requests(at_most or self._rules.turns.requests)
        except Exception as error:  # noqa: BLE001 - see there
            self._end_for(error)
        self._after_answering()

    def _take_turn(self) -> None:
        requests = self._rules.turns.requests
        self._end_turn()
        self._answer_what_is_complete(requests)

    def _end_turn(self) -> None:
        self._next_turn = None
        self._rules.turns.waiting -= 1

    def _take_requests(self, at_most: int) -> None:
        batch = bytearray()
        try:
            for _ in range(at_most):
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
                    self._stream.write(full)
            else:
                self._go_on_soon()
        finally:
            # Also without an answer: of a peer that has gone without reading one, the loop tells no more
            # than that there is something to read, once; what is sent, be it nothing, finds it out.
            self._stream.write(batch)

    def _go_on_soon(self) -> None:
        """Have the next turn, after what the event loop has for the other clients."""
        if self._next_turn is None and not self._is_over:
            self._rules.turns.waiting += 1
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
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - see there
            self._goes_smoothly = False
            self._end_for(error)
        else:
            self._stream.write(encoded)
        if self._goes_smoothly:
            return
        if self._unanswered:
            # One of many: the room that all of them leave is filled at once.
            self._go_on_soon()
        else:
            self._answer_what_is_complete()

    def _end_for(self, error: BaseException) -> None:
        """Answer nothing more, and log why: also a defect of ours leaves no client waiting for ever."""
        self._is_over = True
        if isinstance(error, ProtocolError):
            _log.warning("closing a connection: %s", error)
        elif not isinstance(error, EndOfDialogue):
            _log_defect(error)

    def _after_answering(self) -> None:
        self._note_holding()
        if self._is_closing or self._is_over:
            self._finish()
        else:
            self._adjust_reading()
            at_rest = self._is_reading and self._peer_reads and self._next_turn is None
            self._goes_smoothly = at_rest and not self._dialogue.is_mid_request

    def _note_holding(self) -> None:
        holds = not self._peer_reads or self._dialogue.is_mid_request
        if (holds is not self._holds or (holds and self._has_progressed)) and not self._stream.is_closed:
            self._holds = holds
            self._rules.on_hold(self, holds)

    def _adjust_reading(self) -> None:
        if self._is_closing:
            return
        should_read = self._next_turn is None and self._may_take_another()
        if should_read and not self._is_reading:
            self._is_reading = True
            self._stream.resume_reading()
        elif self._is_reading and not (self._next_turn is None and self._peer_reads):
            self._hold_reading()
        self._time_half_request(is_expected=should_read and self._dialogue.is_mid_request)

    def _hold_reading(self) -> None:
        self._is_reading = False
        self._stream.pause_reading()

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
        self._goes_smoothly = False
        self._half_request.end()
        # Requests may still wait behind an unread answer; the write deadline bounds that.
        if not self.awaits_answers and self._peer_reads:
            self._stream.close()

    def _give_up_reading(self) -> None:
        _log.warning("closing a connection: half a request, and then nothing for too long")
        self.abort()

    def _give_up_writing(self) -> None:
        _log.warning("closing a connection: the client does not read its answers")
        self.abort()


def _log_defect(error: BaseException) -> None:
    # Without the error's own words: they might quote a session, a seed or a key.
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_SHOWN:]
    places = ", ".join(f"{PurePath(each.filename).name}:{each.lineno}" for each in frames)
    _log.error(
        "closing a connection: a request could not be answered: %s at %s", type(error).__name__, places
    )
