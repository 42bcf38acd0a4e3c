"""supervisord's events, from bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.chunks import cut, positions
from tlsmgr.errors import ProtocolError
from tlsmgr.processes.health.protocol import Event, EventReader

_RUNNING = b"processname:cache-server groupname:tlsmgr from_state:STARTING pid:42"
_TICK = b"when:1201063880"


def _sent(name: bytes, payload: bytes) -> bytes:
    """Return an event as supervisord's manual shows it."""
    header = b"ver:3.0 server:supervisor serial:21 pool:tlsmgr-health poolserial:10 eventname:%b len:%d\n"
    return header % (name, len(payload)) + payload


_STREAM = _sent(b"PROCESS_STATE_RUNNING", _RUNNING) + _sent(b"TICK_5", _TICK) + _sent(b"ODD", b"")
_EVENTS = [
    Event(
        name="PROCESS_STATE_RUNNING",
        fields={
            "processname": "cache-server",
            "groupname": "tlsmgr",
            "from_state": "STARTING",
            "pid": "42",
        },
    ),
    Event(name="TICK_5", fields={"when": "1201063880"}),
    Event(name="ODD", fields={}),
]


@given(positions)
def test_events_come_however_the_stream_is_cut(where: list[int]) -> None:
    """Whole, in pieces, with the next one behind it."""
    reader = EventReader()

    assert [event for chunk in cut(_STREAM, where) for event in reader.feed(chunk)] == _EVENTS


@given(st.lists(st.binary(max_size=200)))
def test_any_bytes_give_events_or_a_protocol_error(chunks: list[bytes]) -> None:
    """Never another exception."""
    reader = EventReader()
    try:
        for chunk in chunks:
            list(reader.feed(chunk))
    except ProtocolError:
        pass


@pytest.mark.parametrize(
    "header", [b"\n", b"eventname:TICK_5\n", b"eventname:TICK_5 len:x\n", b"eventname:T len:9999999\n"]
)
def test_a_bad_header_is_an_error(header: bytes) -> None:
    """Without a name, without a length, or with one that is no supervisord's."""
    with pytest.raises(ProtocolError):
        list(EventReader().feed(header))


def test_a_header_without_end_is_not_kept() -> None:
    """What is held is bounded."""
    reader = EventReader()
    assert list(reader.feed(b"x" * 65536)) == []
    with pytest.raises(ProtocolError):
        list(reader.feed(b"x"))
