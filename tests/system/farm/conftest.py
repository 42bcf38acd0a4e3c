"""The farms that the tests of this folder ask: three hosts, with keys from a ratchet or from a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.system.farm.hosts import Farm, local_network, made_farm
from tests.system.farm.store import CommonStore, common_store, store_parameters

HOSTS = 3
RATCHET = {"tlsmgr_ticket_key_source": "ratchet:$data_directory/farm-secret"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFarm:
    """A farm whose hosts take their ticket keys and their sessions from a common store."""

    farm: Farm
    store: CommonStore


@pytest.fixture(scope="module", params=["ratchet", "redis"])
def farm(request: pytest.FixtureRequest) -> Iterator[Farm]:
    """Run a farm with each source of ticket keys."""
    if request.param == "redis":
        with _store_farm() as made:
            yield made.farm
        return
    with local_network(HOSTS) as (network, root):
        farm = made_farm(network, root, RATCHET)
        farm.share_secret()
        with farm.running():
            yield farm


@pytest.fixture(scope="module")
def store_farm() -> Iterator[StoreFarm]:
    """Run a farm with a store."""
    with _store_farm() as made:
        yield made


@contextmanager
def _store_farm() -> Iterator[StoreFarm]:
    with local_network(HOSTS) as (network, root), common_store(network.hub, root / "store") as store:
        farm = made_farm(network, root, store_parameters(store))
        farm.share_secret()
        with farm.running():
            yield StoreFarm(farm=farm, store=store)
