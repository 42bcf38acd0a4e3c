"""Raw bytes to Debian's own tlsmgr and to ours: the same answers, but for the differences on purpose."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.attribute_vectors import SETTINGS, VECTORS, Vector, policy
from tests.system.conversation import ANSWER_SECONDS, converse
from tests.system.debian_tlsmgr import installed_version
from tests.system.differences import DIFFERENCES, LEFT_OVERS, expected_of_ours
from tests.system.postfix_presence import require_postfix
from tests.system.transcript import (
    RECORDED_VERSION,
    Transcript,
    dumped,
    exchange,
    loaded,
    record,
    transcript_path,
)
from tests.system.who_serves import CANDIDATES, Debian, Server

pytestmark = pytest.mark.system

_ANNOUNCEMENT = (("protocol", "tlsmgr_protocol"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A server of ours at ``path``, and what Debian's with the same settings answered."""

    path: Path
    setting: str
    recorded: Transcript


@pytest.fixture(scope="module", params=SETTINGS)
def setting(request: pytest.FixtureRequest) -> str:
    """Give the name of each setting of main.cf."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def recorded(setting: str) -> Transcript:
    """Give what Debian's tlsmgr answered when the transcript was made."""
    return loaded(transcript_path(setting).read_text())


@pytest.fixture(scope="module", params=CANDIDATES, ids=str)
def ours(request: pytest.FixtureRequest, setting: str, recorded: Transcript) -> Iterator[Asked]:
    """Run each of our servers with the transcript's settings."""
    server: Server = request.param
    with server.alone(recorded.parameters) as path:
        yield Asked(path=path, setting=setting, recorded=recorded)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_ours_answers_as_debians_but_on_purpose(ours: Asked, vector: Vector) -> None:
    """Our server gives the recorded answer, or the one that the list of differences asks for."""
    expected = expected_of_ours(ours.recorded, ours.setting, vector.name)
    assert exchange(ours.path, vector).answers == expected


@pytest.mark.parametrize("vector", [one for one in VECTORS if not one.is_large], ids=lambda one: one.name)
def test_the_cut_of_the_bytes_does_not_matter_to_ours(ours: Asked, vector: Vector) -> None:
    """A request that comes byte by byte gets the answer that it gets in one piece."""
    expected = expected_of_ours(ours.recorded, ours.setting, vector.name)
    assert exchange(ours.path, vector, piece=1).answers == expected


def test_ours_serves_on_while_a_client_stalls(ours: Asked) -> None:
    """A client that sends half a request holds up nobody; Debian's serves nobody else meanwhile."""
    with socket.socket(socket.AF_UNIX) as stalled:
        stalled.connect(str(ours.path))
        stalled.sendall(policy("smtpd")[:-5])
        assert converse(ours.path, [policy("smtp")]).answers[0].lists


def test_ours_speaks_first(ours: Asked) -> None:
    """The protocol is announced before the client writes."""
    assert converse(ours.path, [b""]).greeting.lists == (_ANNOUNCEMENT,)


def test_ours_closes_on_wakeup(ours: Asked) -> None:
    """Master's wakeup ends the connection from the server's side, without an answer."""
    assert _answer_to_wakeup(ours.path) == b""


@pytest.fixture(scope="module")
def debian(setting: str) -> Iterator[Path]:
    """Run Debian's own tlsmgr with each setting."""
    require_postfix()
    with Debian().alone(SETTINGS[setting]) as path:
        yield path


def test_debians_answers_as_recorded(debian: Path, setting: str, recorded: Transcript) -> None:
    """The transcript is what the installed tlsmgr says, if it is of the recorded version."""
    if (version := installed_version()) != RECORDED_VERSION:
        pytest.skip(f"the transcripts are of Postfix {RECORDED_VERSION}, installed is {version}")
    live = record(debian, setting, version=version)
    assert live.exchanges == recorded.exchanges


def test_debians_speaks_first(debian: Path) -> None:
    """The announcement is not ours: Debian's sends it as well."""
    assert converse(debian, [b""]).greeting.lists == (_ANNOUNCEMENT,)


def test_debians_closes_on_wakeup(debian: Path) -> None:
    """What is asked of ours is what Debian's does."""
    assert _answer_to_wakeup(debian) == b""


def test_transcript_has_every_vector(recorded: Transcript, setting: str) -> None:
    """The transcript was recorded with this table and these settings."""
    assert {name: one.steps for name, one in recorded.exchanges.items()} == {
        one.name: one.steps for one in VECTORS
    }
    assert recorded.parameters == SETTINGS[setting]
    assert len({one.name for one in VECTORS}) == len(VECTORS)


def test_transcript_survives_its_file_format(recorded: Transcript) -> None:
    """What is dumped is what is loaded."""
    assert loaded(dumped(recorded)) == recorded


def test_listed_differences_are_ones(recorded: Transcript, setting: str) -> None:
    """No difference is listed where Debian's answers as ours does."""
    listed = LEFT_OVERS | {name for name, one in DIFFERENCES.items() if setting in one.settings}
    listed -= {"a ticket key that is not there"} if setting == "caches-disabled" else set()
    same = {
        name
        for name in listed
        if expected_of_ours(recorded, setting, name) == recorded.exchanges[name].answers
    }
    assert same == set()


def test_ours_is_expected_to_leak_nothing(recorded: Transcript, setting: str) -> None:
    """Each vector to which Debian's answers left-over bytes is in a list of differences."""
    for name in recorded.exchanges:
        assert "left-over" not in repr(expected_of_ours(recorded, setting, name)), name


def _answer_to_wakeup(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(str(path))
        with connection.makefile("rb") as stream:
            announced = stream.read(len(b"protocol\0tlsmgr_protocol\0\0"))
            assert announced
            connection.sendall(b"W\0")
            return stream.read()
