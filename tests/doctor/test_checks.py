"""The checks of what a test cannot plant on this host: a full disk, another version, bad randomness."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rehearsal.sandbox import Sandbox
from tlsmgr.config.configuration import load_configuration
from tlsmgr.config.settings import make_settings, process_values
from tlsmgr.doctor import file_checks, worker_checks
from tlsmgr.doctor.examination import examine
from tlsmgr.doctor.findings import Finding, Outcome
from tlsmgr.doctor.surroundings import Space, Surroundings
from tlsmgr.version import __version__

_GOOD = {"source_state": "good", "source": "dev:x", "exchange_updates": 1, "version": __version__}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Give a configuration with its directories."""
    with Sandbox() as made:
        yield made


def _host(sandbox: Sandbox, *, left: Space, stats: Mapping[str, Mapping[str, Any]]) -> Surroundings:
    configuration = load_configuration(sandbox.etc, process_values=process_values(process_name="tlsmgr"))
    return Surroundings(
        settings=make_settings(configuration),
        configuration=configuration,
        postconf=None,
        stats=stats,
        silent={},
        now=2e9,
        space=lambda _path: left,
    )


_ROOM = Space(size=2**40, files=2**31)


@pytest.mark.parametrize(
    ("left", "text"),
    [(Space(size=2**20, files=2**31), "1 MiB are left"), (Space(size=2**40, files=3), "only 3 more files")],
)
def test_a_full_disk(sandbox: Sandbox, left: Space, text: str) -> None:
    """Bytes or files may be lacking."""
    findings = list(file_checks.disks(_host(sandbox, left=left, stats={})))

    assert [each.outcome for each in findings] == [Outcome.FAILED]
    assert text in findings[0].text


def test_a_directory_that_cannot_be_examined(sandbox: Sandbox) -> None:
    """It is a finding, and no failure of the doctor's."""

    def space(path: Path) -> Space:
        raise PermissionError(13, "Permission denied", str(path))

    host = _host(sandbox, left=_ROOM, stats={})
    unreadable = Surroundings(
        settings=host.settings,
        configuration=host.configuration,
        postconf=None,
        stats={},
        silent={},
        now=0.0,
        space=space,
    )

    assert [each.outcome for each in file_checks.disks(unreadable)] == [Outcome.FAILED]


def test_another_version(sandbox: Sandbox) -> None:
    """A worker that was not restarted after an upgrade."""
    host = _host(sandbox, left=_ROOM, stats={"cache-server": {"version": "0.0.1"}})

    (finding,) = worker_checks.versions(host)
    assert (finding.outcome, finding.advice) == (Outcome.FAILED, "run scripts/rolling-restart")


def test_a_sealing_key_that_one_worker_has_alone(sandbox: Sandbox) -> None:
    """Its restart would lose everything."""
    stats = {
        "cache-server": {"sealing": {"key_shared": False}},
        "prng-server": {"sealing": {"key_shared": True}},
        "expiry-sweeper": {},
    }
    host = _host(sandbox, left=_ROOM, stats=stats)

    assert [each.outcome for each in worker_checks.sealing(host)] == [Outcome.WARNING, Outcome.OK]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("good", Outcome.OK),
        ("new", Outcome.OK),
        ("spent", Outcome.OK),
        ("none", Outcome.WARNING),
        ("alarm", Outcome.FAILED),
        ("failing", Outcome.FAILED),
        ("whatever comes later", Outcome.FAILED),
    ],
)
def test_the_entropy_source(sandbox: Sandbox, state: str, outcome: Outcome) -> None:
    """An alarm of the health tests is a failure, having no source a warning."""
    host = _host(sandbox, left=_ROOM, stats={"prng-server": {**_GOOD, "source_state": state}})

    assert _named(worker_checks.randomness(host), "entropy source").outcome is outcome


def test_an_exchange_file_that_never_worked(sandbox: Sandbox) -> None:
    """It is no more than a warning: the pool is fed without it."""
    stats = {"prng-server": {**_GOOD, "exchange_updates": 0, "exchange_failures": 2}}
    host = _host(sandbox, left=_ROOM, stats=stats)

    assert _named(worker_checks.randomness(host), "exchange file").outcome is Outcome.WARNING


def test_sessions_that_went_before_their_time(sandbox: Sandbox) -> None:
    """They are told even when the limit is not near any more."""
    stats = {"cache-server": {"caches": {"smtp": {"enabled": True, "entries": 1, "evictions": 7}}}}
    host = _host(sandbox, left=_ROOM, stats=stats)

    assert _named(worker_checks.limits(host), "evictions of smtp").outcome is Outcome.WARNING


@pytest.mark.parametrize(
    "stats", [{}, {"cache-server": {}}, {"prng-server": {}, "cache-server": {"caches": 1}}]
)
def test_figures_that_are_missing_are_no_matter(sandbox: Sandbox, stats: dict[str, dict[str, Any]]) -> None:
    """A worker of another version may not have them."""
    assert list(examine(_host(sandbox, left=_ROOM, stats=stats)))


def _named(findings: Iterator[Finding], name: str) -> Finding:
    return next(each for each in findings if each.name == name)
