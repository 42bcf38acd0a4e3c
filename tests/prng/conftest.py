import logging
from pathlib import Path

import pytest

from tests.prng.loops import Run, run_asyncio, run_uvloop


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of an exchange file that is not there yet."""
    return tmp_path / "prng_exch"


@pytest.fixture(params=[run_asyncio, run_uvloop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[object]:
    """Give each of the two event loops."""
    chosen: Run[object] = request.param
    return chosen


@pytest.fixture(autouse=True)
def _see_all_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tlsmgr.prng")
