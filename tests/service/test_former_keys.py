"""The names of ticket keys that are gone, over a restart."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.service.former_keys import Departure, FormerKeys, _parsed
from tlsmgr.tickets import KEY_MATERIAL_SIZE, TicketKey, TicketKeyRing


def _key(number: int) -> TicketKey:
    return TicketKey.from_material(bytes([number]) * KEY_MATERIAL_SIZE, encrypts_until=1)


def _name(number: int) -> bytes:
    return _key(number).name


def _restored(path: Path, ring: TicketKeyRing, now: int = 100) -> FormerKeys:
    former = FormerKeys(path)
    former.restore(ring, now)
    return former


def _reasons(former: FormerKeys, *numbers: int) -> list[tuple[str, int] | None]:
    found = [former.find(_name(number)) for number in numbers]
    return [None if each is None else (str(each.why), each.left_at) for each in found]


def test_what_left_is_known_after_a_restart(tmp_path: Path) -> None:
    """And what was there and is not any more was lost; what is there has not left."""
    path = tmp_path / "former"
    former = _restored(path, TicketKeyRing())
    former.note(TicketKeyRing(current=_key(1)), TicketKeyRing(current=_key(2)), Departure.REPLACED, 7)
    former.note(TicketKeyRing(), TicketKeyRing(current=_key(3), previous=_key(2)), Departure.REVOKED, 8)
    former.close()

    assert _reasons(_restored(path, TicketKeyRing(current=_key(3))), 1, 2, 3, 4) == [
        ("replaced", 7),
        ("lost", 100),
        None,
        None,
    ]


def test_the_file_has_names_and_no_secret(tmp_path: Path) -> None:
    """For its owner alone all the same, and of a bounded size."""
    path = tmp_path / "former"
    former = _restored(path, TicketKeyRing())
    for number in range(200):
        former.note(TicketKeyRing(current=_key(number)), TicketKeyRing(), Departure.REVOKED, number)
    text = path.read_text()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(text) < 8192
    assert {len(line.split()[1]) for line in text.splitlines()} == {32}
    assert _reasons(_restored(path, TicketKeyRing()), 135, 136) == [None, ("revoked", 136)]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"replaced\n",
        b"gone " + b"00" * 16 + b" 1\n",
        b"replaced " + b"00" * 16 + b" 1 2\n",
        b"{}" * 9000,
    ],
)
def test_bad_content_is_ignored_with_a_line_in_the_log(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """None of it counts, what it says is not repeated, and the next change replaces it."""
    path = tmp_path / "former"
    path.write_bytes(b"revoked " + _name(1).hex().encode() + b" 5\n" + content)

    former = _restored(path, TicketKeyRing())

    assert _reasons(former, 1) == [None]
    assert caplog.messages == [
        f"not known which ticket keys there were: {path}: it is not as tlsmgr writes it"
    ]
    former.note(TicketKeyRing(current=_key(2)), TicketKeyRing(), Departure.REVOKED, 9)
    assert _reasons(_restored(path, TicketKeyRing()), 2) == [("revoked", 9)]


def test_a_symbolic_link_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not to read; and what is written takes its place."""
    victim = tmp_path / "victim"
    victim.write_text(f"revoked {_name(1).hex()} 5\n")
    path = tmp_path / "former"
    path.symlink_to(victim)

    former = _restored(path, TicketKeyRing())

    assert _reasons(former, 1) == [None]
    assert "not known which ticket keys there were" in caplog.text
    former.note(TicketKeyRing(current=_key(2)), TicketKeyRing(), Departure.REVOKED, 9)
    assert victim.read_text() == f"revoked {_name(1).hex()} 5\n"
    assert not path.is_symlink()


def test_a_directory_that_has_gone_costs_the_memory_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys of this process are still explained."""
    former = _restored(tmp_path / "missing" / "former", TicketKeyRing())
    former.note(TicketKeyRing(current=_key(2)), TicketKeyRing(), Departure.REVOKED, 9)

    assert _reasons(former, 2) == [("revoked", 9)]
    assert "a restart forgets" in caplog.text


@given(st.text(alphabet="presntvokdla 0123456789abcdef\n"))
def test_any_text_is_keys_or_a_value_error(text: str) -> None:
    """Never another error."""
    try:
        keys = _parsed(text, [], 1)
    except ValueError:
        return
    assert all(len(key.name) == 16 for key in keys)
