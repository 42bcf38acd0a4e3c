"""What a check comes to."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check ended; whatever is not OK or SKIPPED asks for something to be done."""

    OK = "ok"
    SKIPPED = "skipped"  #: it says nothing about this host; the text says why
    WARNING = "warning"  #: it works, but not as it should, or not for long
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report: which check, how it ended, what was seen, and what to do about it."""

    name: str
    outcome: Outcome
    text: str
    advice: str = ""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to be done."""
        return self.outcome in {Outcome.OK, Outcome.SKIPPED}


def ok(name: str, text: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(name=name, outcome=Outcome.OK, text=text)


def skipped(name: str, text: str) -> Finding:
    """Return the finding that there is nothing to look at."""
    return Finding(name=name, outcome=Outcome.SKIPPED, text=text)


def warning(name: str, text: str, advice: str) -> Finding:
    """Return the finding that something is not as it should be."""
    return Finding(name=name, outcome=Outcome.WARNING, text=text, advice=advice)


def failed(name: str, text: str, advice: str) -> Finding:
    """Return the finding that something does not work."""
    return Finding(name=name, outcome=Outcome.FAILED, text=text, advice=advice)
