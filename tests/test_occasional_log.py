import logging

import pytest

from tlsmgr.occasional_log import OccasionalLog


def test_a_lasting_trouble_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """Each subject by itself; its end is told once, and only if its beginning was."""
    caplog.set_level(logging.INFO)
    now = 0.0
    occasional = OccasionalLog(logging.getLogger("test"), lambda: now, interval=60.0)
    occasional.recovered("a", "a is well")
    for now in (0.0, 1.0, 59.9, 60.0, 61.0):
        occasional.warning("a", "a fails at %g", now)
        occasional.warning("b", "b fails at %g", now)
    occasional.recovered("a", "a is well")
    occasional.recovered("a", "a is well")
    occasional.warning("a", "a fails anew")
    assert caplog.messages == [
        *("a fails at 0", "b fails at 0", "a fails at 60", "b fails at 60"),
        *("a is well", "a fails anew"),
    ]


def test_each_cause_of_a_trouble_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A second cause is not kept back for the first one's sake, and both end together."""
    caplog.set_level(logging.INFO)
    occasional = OccasionalLog(logging.getLogger("test"), lambda: 0.0)
    for cause in ("full", "locked", "full", "locked"):
        occasional.warning("a", "a is %s", cause, cause=cause)
    occasional.recovered("a", "a is well")
    occasional.recovered("a", "a is well")
    occasional.warning("a", "a is full", cause="full")
    assert caplog.messages == ["a is full", "a is locked", "a is well", "a is full"]
