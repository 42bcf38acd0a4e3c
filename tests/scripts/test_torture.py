"""scripts/torture, in short: nothing that was promised is lost when workers are killed."""

import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.load import Tally
from rehearsal.promises import Key, Ledger, session_of
from rehearsal.results import publish
from tests.scripts.rehearsals import rehearse
from tlsmgr.messages import CacheType
from torturing.killing import Deaths
from torturing.outcome import Outcome

KEY = Key(cache_type=CacheType.SMTPD, cache_id=b"id")
OTHER = Key(cache_type=CacheType.SMTPD, cache_id=b"other")


@pytest.mark.system
def test_every_promised_session_outlives_random_kills(tmp_path: Path) -> None:
    """Five SIGKILLs of random workers later each session of an update answered with 0 is found."""
    figures = tmp_path / "figures.json"
    options = ("--kills", "5", "--clients", "4", "--keys", "60", "--back-within", "20")
    done = rehearse("torture", *options, "--json", str(figures))
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(figures.read_text())
    assert sum(document["kills"].values()) == 5
    assert document["promised"] > 0
    assert document["verified"] > 0
    assert document["complaints"] == []


def test_a_lost_session_is_noticed() -> None:
    """What was answered with 0 has to be there; what was never answered may be."""
    ledger = Ledger(1, [KEY])
    version, session = ledger.next_session(KEY)
    assert ledger.complaint(KEY, None) is None
    assert ledger.complaint(KEY, session) is None
    ledger.promised(KEY, version)
    assert ledger.is_saved(KEY)
    assert ledger.complaint(KEY, session) is None
    assert "found version None" in str(ledger.complaint(KEY, None))


def test_an_older_session_than_the_promised_one_is_noticed() -> None:
    """A later update that was answered with 0 replaces the earlier one for good."""
    ledger = Ledger(1, [KEY])
    for _ in range(2):
        version, _ = ledger.next_session(KEY)
        ledger.promised(KEY, version)
    assert "expected one of [2]" in str(ledger.complaint(KEY, session_of(1, KEY, 1)))


def test_a_session_of_another_key_or_a_damaged_one_is_noticed() -> None:
    """A session shows whose it is, down to the last byte."""
    ledger = Ledger(1, [KEY, OTHER])
    version, session = ledger.next_session(KEY)
    ledger.promised(KEY, version)
    ledger.next_session(OTHER)
    damaged = session[:-1] + bytes([session[-1] ^ 1])
    for wrong in (session_of(1, OTHER, 1), session_of(2, KEY, 1), damaged, b""):
        assert "not this key's" in str(ledger.complaint(KEY, wrong))


def test_a_worker_that_is_missed_for_too_long_is_a_fault() -> None:
    """The time until a killed worker answers again counts."""
    deaths = Deaths()
    deaths.missed["prng-server"] += [0.5, 1.6]
    outcome = Outcome(seed=1, back_within=1.5, seconds=2.0, tally=Tally(), deaths=deaths)
    assert outcome.complaints() == ["prng-server answered only 1.60 s after it was killed"]
    assert "2 times; median 1.05, worst 1.60" in outcome.markdown()


def test_a_result_replaces_the_one_of_the_same_name(tmp_path: Path) -> None:
    """The documentation has one result of each kind, the last one."""
    document = tmp_path / "page.md"
    document.write_text("# Page\n")
    for name, text in (("a", "first"), ("b", "other"), ("a", r"second \1")):
        publish(name, text, document)
    text = document.read_text()
    assert text.startswith("# Page\n")
    assert "first" not in text
    assert text.index(r"second \1") < text.index("other")
