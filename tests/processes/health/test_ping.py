"""A question to a worker: asked, not taken in, or not asked at all."""

import select
import socket
from pathlib import Path

import pytest

from tlsmgr.processes.health.ping import Ping


def test_a_question_arrives_and_its_answer_is_seen(tmp_path: Path) -> None:
    """The descriptor becomes readable."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        ping = Ping.send(tmp_path / "sock")
        assert ping is not None
        accepted = listener.accept()[0]
        assert b"ping" in accepted.recv(100)
        accepted.close()
        assert select.select([ping], [], [], 5)[0] == [ping]
        ping.close()


def test_a_full_queue_is_a_worker_that_takes_nobody_in(tmp_path: Path) -> None:
    """None: it counts as asked."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen(0)
        asked = [Ping.send(tmp_path / "sock") for _ in range(3)]
        for ping in asked:
            if ping is not None:
                ping.close()
    assert asked[0] is not None
    assert asked[-1] is None


def test_who_is_not_there_was_not_asked(tmp_path: Path) -> None:
    """No socket, or one that nobody listens at, is an error, and no silence."""
    with pytest.raises(FileNotFoundError):
        Ping.send(tmp_path / "none")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    assert (tmp_path / "left").is_socket()
    with pytest.raises(ConnectionRefusedError):
        Ping.send(tmp_path / "left")
