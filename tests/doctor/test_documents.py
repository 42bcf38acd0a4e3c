"""docs/operating.md names every check."""

from pathlib import Path

import pytest

from tlsmgr.doctor.examination import CHECKS
from tlsmgr.doctor.surroundings import Check

_DOCUMENT = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_check_is_in_the_table(check: Check) -> None:
    """With the words that it has in the code."""
    assert f"| {check.__doc__} |\n" in _DOCUMENT
