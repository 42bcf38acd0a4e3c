"""What one host of a farm made, the others resume: with either source of keys, through rotations."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.system.farm.clients import BY_TICKET, reuses
from tests.system.farm.hosts import Farm, FarmHost
from tests.system.starttls import Mode

pytestmark = pytest.mark.system


@pytest.mark.parametrize("mode", BY_TICKET, ids=lambda mode: mode.name)
def test_a_ticket_of_any_host_resumes_on_all(farm: Farm, tmp_path: Path, mode: Mode) -> None:
    """Also where no clock is like another."""
    for maker in farm.hosts:
        session = tmp_path / maker.place.namespace
        assert not maker.handshake(mode, session).reused
        assert [reuses(host, mode, session) for host in farm.hosts] == [True] * len(farm.hosts), (
            farm.evidence()
        )


def test_tickets_resume_through_two_rotations(farm: Farm, tmp_path: Path) -> None:
    """The key before the present one decrypts on every host; the one before that, on none."""
    first, *others = farm.hosts
    sessions: list[Mapping[Mode, Path]] = []
    encrypted_with = set()
    for turn in range(3):
        farm.begin_epoch()
        made = {mode: tmp_path / f"{mode.name}.{turn}" for mode in BY_TICKET}
        assert not any(first.handshake(mode, session).reused for mode, session in made.items())
        sessions.append(made)
        encrypted_with.add(_current_key(first))
        for mode in BY_TICKET:
            for former in sessions[-2:]:
                reused = [reuses(host, mode, former[mode]) for host in others]
                assert reused == [True] * len(others), f"{mode}, turn {turn}\n{farm.evidence()}"
    farm.begin_epoch()
    assert len(encrypted_with) == len(sessions)
    assert not any(reuses(host, mode, sessions[0][mode]) for host in farm.hosts for mode in BY_TICKET)


def test_check_finds_nothing_between_two_hosts(farm: Farm, tmp_path: Path) -> None:
    """And says so."""
    first, second, _ = farm.hosts
    for host in (first, second):
        host.handshake(Mode.TICKET_1_2, tmp_path / host.place.namespace)
    description = tmp_path / "second.json"
    description.write_text(second.command("farm", "describe"))
    assert json.loads(description.read_text())["fingerprint"]
    assert "KEPT APART" not in first.command("farm", "check", str(description))


def _current_key(host: FarmHost) -> str:
    return str(next(key["name"] for key in host.ticket_keys() if key["state"] == "current"))
