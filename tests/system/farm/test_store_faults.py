"""The common store is there, gone, stopped, full or empty: mail goes on, and all heals by itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from rehearsal.redis_server import RedisServer
from rehearsal.waiting import wait_for
from tests.system.farm.clients import reuses
from tests.system.farm.conftest import StoreFarm
from tests.system.starttls import Mode

pytestmark = pytest.mark.system

# A circuit breaker looks again after a pause that doubles up to a minute.
_HEALED_SECONDS = 75.0


@contextmanager
def _killed(server: RedisServer) -> Iterator[None]:
    """Gone, and back without anything that was in it."""
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextmanager
def _full(server: RedisServer) -> Iterator[None]:
    """No room for anything new, and nothing is evicted."""
    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.ask("CONFIG", "SET", "maxmemory", "1")
    try:
        yield
    finally:
        server.ask("CONFIG", "SET", "maxmemory", "0")


@contextmanager
def _emptied(server: RedisServer) -> Iterator[None]:
    """Restarted without anything that was in it, while the hosts run."""
    server.kill()
    server.start()
    yield


_FAULTS: list[Callable[[RedisServer], AbstractContextManager[None]]] = [
    _killed,
    RedisServer.stopped,
    _full,
    _emptied,
]


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.name)
def test_a_session_of_any_host_resumes_on_all(store_farm: StoreFarm, tmp_path: Path, mode: Mode) -> None:
    """By session ID too, with TLS 1.2: the session itself comes out of the store."""
    hosts = store_farm.farm.hosts
    for maker in hosts:
        session = tmp_path / maker.place.namespace
        assert not maker.handshake(mode, session).reused
        for host in hosts:
            # What one host saves is written behind: a moment later it is there for the others.
            wait_for(
                f"resumption on {host.place.namespace}",
                lambda host=host, session=session: reuses(host, mode, session),  # type: ignore[misc]
                evidence=store_farm.farm.evidence,
            )


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: fault.__name__.strip("_"))
def test_no_handshake_fails_whatever_befalls_the_store(
    store_farm: StoreFarm, tmp_path: Path, fault: Callable[[RedisServer], AbstractContextManager[None]]
) -> None:
    """Each host resumes its own sessions meanwhile; afterwards the others' again, by ticket and by ID."""
    hosts = store_farm.farm.hosts
    with fault(store_farm.store.server):
        for host in hosts:
            for mode in Mode:
                session = tmp_path / f"{host.place.namespace} {mode.name}"
                assert not host.handshake(mode, session).reused
                assert host.handshake(mode, session).reused, host.evidence()
    for mode in Mode:
        wait_for(
            f"resumption across hosts: {mode.name}",
            lambda mode=mode: _resumes_across(store_farm, tmp_path, mode),  # type: ignore[misc]
            seconds=_HEALED_SECONDS,
            evidence=store_farm.farm.evidence,
        )


def _resumes_across(store_farm: StoreFarm, directory: Path, mode: Mode) -> bool:
    maker, *others = store_farm.farm.hosts
    session = directory / f"across {mode.name}"
    session.unlink(missing_ok=True)
    maker.handshake(mode, session)
    return all(reuses(host, mode, session) for host in others)
