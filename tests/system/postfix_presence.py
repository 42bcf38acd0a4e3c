"""Whether real Postfix processes can be started here, and what a test does when not."""

import os
from collections.abc import Mapping

import pytest

from rehearsal.programs import program

WITHOUT_POSTFIX = "TLSMGR_TESTS_WITHOUT_POSTFIX"


def missing() -> str | None:
    """Say what keeps real Postfix processes from running here; None when nothing does."""
    absent = [name for name in ("postfix", "postconf", "sendmail", "openssl") if program(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return None if os.geteuid() == 0 else "Postfix's master runs as root only"


def require_postfix() -> None:
    """Fail the calling test where Postfix cannot run, or skip it if the environment allows that."""
    require(missing(), environment=os.environ)


def require(reason: str | None, *, environment: Mapping[str, str]) -> None:
    """Do nothing without a ``reason``; else fail with it, or skip where WITHOUT_POSTFIX is 1."""
    if reason is None:
        return
    if environment.get(WITHOUT_POSTFIX) == "1":
        pytest.skip(reason)
    pytest.fail(f"{reason} (set {WITHOUT_POSTFIX}=1 to skip these tests)", pytrace=False)
