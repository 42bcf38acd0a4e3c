import socket
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.prng.egd_server import EgdServer, egd_server
from tests.prng.loops import SHORT, Run
from tlsmgr.prng.sources import EgdSource, SourceError


async def ask(
    path: Path, answers: Sequence[bytes], size: int, *, hang: bool = False, time_limit: float = 5.0
) -> tuple[bytes, EgdServer]:
    """Read once from an EGD server that answers so."""
    source = EgdSource(f"egd:{path}", str(path), time_limit=time_limit)
    async with egd_server(path, answers, hang=hang) as server:
        with closing(source):
            source.open()
            return await source.read(size), server


@pytest.mark.parametrize(
    "answers",
    [
        [b"\x04abcd"],
        [b"\x04", b"abcd"],
        [b"\x04", b"a", b"b", b"c", b"d"],
        [b"\x04ab", b"cd"],
    ],
)
def test_an_egd_answer_in_any_pieces_is_read(
    tmp_path: Path, answers: list[bytes], run: Run[tuple[bytes, EgdServer]]
) -> None:
    """The request is the byte 1 and the count."""
    data, server = run(ask(tmp_path / "egd", answers, 4))
    assert data == b"abcd"
    assert server.requests == [b"\x01\x04"]


def test_an_egd_server_may_give_less(tmp_path: Path, run: Run[tuple[bytes, EgdServer]]) -> None:
    """A short answer is an answer, and what it has is taken."""
    data, _ = run(ask(tmp_path / "egd", [b"\x02ab"], 32))
    assert data == b"ab"


def test_an_egd_request_is_cut_to_a_byte(tmp_path: Path, run: Run[tuple[bytes, EgdServer]]) -> None:
    """1000 bytes are asked for as 255."""
    data, server = run(ask(tmp_path / "egd", [b"\xff" + bytes(255)], 1000))
    assert data == bytes(255)
    assert server.requests == [b"\x01\xff"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([b"\x00"], "no entropy now"),
        ([b"\x21" + bytes(33)], "answered 33 bytes when asked for 32: is it an EGD server"),
        ([b"", b"\x20", b"abc"], "closed the connection within an answer"),
        ([b""], "closed the connection"),
    ],
    ids=["zero", "too many", "closing within", "closing"],
)
def test_a_bad_egd_answer_is_an_error(
    tmp_path: Path, answers: list[bytes], message: str, run: Run[tuple[bytes, EgdServer]]
) -> None:
    """And none of it is taken for entropy."""
    with pytest.raises(SourceError, match=message):
        run(ask(tmp_path / "egd", answers, 32))


@pytest.mark.parametrize("answers", [[], [b"\x04"], [b"\x04abc"]], ids=["silent", "count only", "cut"])
def test_a_hanging_egd_server_ends_with_the_time(
    tmp_path: Path, answers: list[bytes], run: Run[tuple[bytes, EgdServer]]
) -> None:
    """Half an answer counts as none: the connection is out of step."""
    with pytest.raises(SourceError, match=r"nothing came within 0\.05 s"):
        run(ask(tmp_path / "egd", answers, 4, hang=True, time_limit=SHORT))


def test_one_connection_serves_many_reads_until_opened_anew(tmp_path: Path, run: Run[None]) -> None:
    """As Postfix does; after an error a new connection is in step again."""
    path = tmp_path / "egd"

    async def check() -> None:
        source = EgdSource(f"egd:{path}", str(path))
        async with egd_server(path, [b"\x02ab"]) as server:
            with closing(source):
                source.open()
                assert [await source.read(2), await source.read(2)] == [b"ab", b"ab"]
                assert server.connections == 1
                source.open()
                assert await source.read(2) == b"ab"
                assert server.connections == 2

    run(check())


def test_a_server_that_left_is_an_error(tmp_path: Path, run: Run[bytes]) -> None:
    """Its socket file stays behind: the connection is refused, at once."""
    path = tmp_path / "egd"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        source = EgdSource(f"egd:{path}", str(path))
        source.open()
    with closing(source), pytest.raises(SourceError, match="cannot read"):
        run(source.read(4))
    with pytest.raises(SourceError, match="Connection refused"):
        source.open()


def test_a_server_with_a_full_queue_does_not_stop_us(tmp_path: Path) -> None:
    """Connecting never waits: the next try may find a place."""
    path = tmp_path / "egd"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
            waiting.connect(str(path))
            with pytest.raises(SourceError, match="temporarily unavailable"):
                EgdSource(f"egd:{path}", str(path)).open()


def test_a_path_too_long_for_a_socket_is_an_error() -> None:
    """Like any other that cannot be opened."""
    with pytest.raises(SourceError, match="AF_UNIX path too long"):
        EgdSource("egd:x", "/" + "x" * 200).open()
