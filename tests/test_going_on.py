"""One turn of an endless loop."""

import asyncio
import logging

import pytest

from tlsmgr.going_on import going_on

_log = logging.getLogger(__name__)


def _count() -> None:
    raise ValueError("none of ours")


def test_a_defect_is_told_and_does_not_end_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """With where it came from."""
    with going_on(_log, "counting"):
        _count()
    assert "a defect of tlsmgr while counting; it goes on" in caplog.text
    assert "test_going_on.py" in caplog.text


def test_a_cancellation_passes() -> None:
    """Whoever ends the loop is heard."""
    with pytest.raises(asyncio.CancelledError), going_on(_log, "counting"):
        raise asyncio.CancelledError
