"""When a worker is ended, with real processes and sockets, and times as arguments."""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.sealing.test_other_worker import running
from tlsmgr.lock_holder import lock_holder
from tlsmgr.processes.health.watch import Patience
from tlsmgr.processes.health.worker import WatchedWorker

LONG = 1e6


class Watched:
    """A worker under watch whose process only holds its lock, and whose socket is the test's."""

    def __init__(self, name: str, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self.worker = WatchedWorker(name, Patience(), self._selector, os.getpid())
        self.path = directory / f"{name}.sock"
        stack.enter_context(running(directory / f"{name}.pid"))
        self.worker.find(directory)
        assert self.worker.is_found
        stack.callback(self._let_go)

    def listen(self) -> socket.socket:
        """Have a socket that takes questions; an answer is to close what it accepts."""
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(self.path))
        listener.listen()
        return listener

    def ask(self, now: float) -> None:
        """Ask it."""
        self.worker.ask(self._directory, now)

    def take_events(self, seconds: float = 5.0) -> None:
        """Take what has come."""
        for key, _ in self._selector.select(seconds):
            key.data()

    def _let_go(self) -> None:
        while self._selector.get_map():
            key = next(iter(self._selector.get_map().values()))
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]  # a ping or a process


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Watched, Watched]]:
    """Give the two workers with the keys."""
    with ExitStack() as stack:
        yield Watched("cache-server", tmp_path, stack), Watched("prng-server", tmp_path, stack)


def _is_ended(watched: Watched) -> bool:
    watched.take_events(0.5)
    return not watched.worker.is_found


def test_one_that_hears_and_is_silent_is_ended(tmp_path: Path) -> None:
    """Not before its time is over."""
    with ExitStack() as stack:
        sweeper = Watched("expiry-sweeper", tmp_path, stack)
        sweeper.listen()
        sweeper.ask(0.0)
        sweeper.worker.judge(29.0)
        assert sweeper.worker.is_found
        sweeper.worker.judge(31.0)
        sweeper.take_events()
        assert not sweeper.worker.is_found


def test_one_that_cannot_be_asked_is_left_alone_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As when the run directory was moved away, or its socket is a file that nobody listens at."""
    with ExitStack() as stack:
        sweeper = Watched("expiry-sweeper", tmp_path, stack)
        sweeper.ask(0.0)
        sweeper.worker.judge(LONG)
        sweeper.listen().close()
        sweeper.ask(LONG)
        sweeper.worker.judge(2 * LONG)
        assert not _is_ended(sweeper)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"left as it is: {sweeper.path}: No such file" in caplog.text


def test_of_two_silent_ones_with_the_keys_none_is_ended(
    pair: tuple[Watched, Watched], caplog: pytest.LogCaptureFixture
) -> None:
    """Each is left as it is, and what to do is said."""
    cache, prng = pair
    for watched in pair:
        watched.listen()
        watched.ask(0.0)
    cache.worker.judge(LONG, prng.worker)
    prng.worker.judge(LONG, cache.worker)
    assert not _is_ended(cache)
    assert not _is_ended(prng)
    assert "nor does prng-server answer" in caplog.text
    assert "supervisorctl restart tlsmgr:cache-server" in caplog.text


def test_one_with_the_keys_is_ended_once_the_other_has_answered(pair: tuple[Watched, Watched]) -> None:
    """And not by an answer of long ago: that one may have fallen silent as well."""
    cache, prng = pair
    cache.listen()
    prng_socket = prng.listen()
    now = time.monotonic()
    cache.ask(now - 100)
    prng.ask(now)
    cache.worker.judge(now, prng.worker)
    assert cache.worker.is_found
    prng_socket.accept()[0].close()
    prng.take_events()
    cache.worker.judge(now + LONG, prng.worker)
    assert not _is_ended(cache)
    cache.worker.judge(time.monotonic(), prng.worker)
    assert _is_ended(cache)


class _SupervisordAwake(logging.Handler):
    """Does what supervisord does when a line wakes it: it waits for a process that has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        del record
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def test_supervisord_is_woken_again_however_soon_it_waits_for_one_that_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It looks for what to start before it waits: whoever is quick would sleep for a second then."""
    caplog.set_level(logging.INFO)
    with ExitStack() as stack:
        sweeper = Watched("expiry-sweeper", tmp_path, stack)
        pid = lock_holder(tmp_path / "expiry-sweeper.pid")
        assert pid is not None
        awake = _SupervisordAwake(pid)
        logger = logging.getLogger("tlsmgr")
        stack.callback(logger.removeHandler, awake)
        logger.addHandler(awake)
        os.kill(pid, signal.SIGKILL)
        sweeper.take_events()
    lines = [record.message for record in caplog.records]
    assert lines[0].startswith("expiry-sweeper has ended")
    assert lines[1:] == ["supervisord has taken note of the end of expiry-sweeper"]
