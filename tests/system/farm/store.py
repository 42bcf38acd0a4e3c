"""The store that the hosts of a farm have in common: a real redis-server in the middle of the network."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.redis_server import RedisServer
from tests.system.farm.network import NetworkPlace

_PORT = 6379
_USER = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonStore:
    """The server, its URL as the hosts have it, and the file with its password."""

    server: RedisServer
    url: str
    credentials: Path


@contextmanager
def common_store(place: NetworkPlace, directory: Path) -> Iterator[CommonStore]:
    """Run a server there, which lets in who has its password."""
    directory.mkdir(mode=0o755)
    password = secrets.token_hex(16)
    credentials = directory / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text(f"{_USER}:{password}\n")
    # The test itself asks without a password, over a UNIX socket that is root's.
    options = (
        f"bind {place.address}",
        "protected-mode no",
        "unixsocketperm 700",
        f"user {_USER} on >{password} ~* &* +@all",
    )
    server = RedisServer(directory / "redis", options, port=_PORT, prefix=place.enter)
    with server:
        yield CommonStore(server=server, url=f"redis://{place.address}:{_PORT}/0", credentials=credentials)


def store_parameters(store: CommonStore) -> Mapping[str, str]:
    """Return what has a host take its ticket keys and its sessions from the store."""
    return {
        "tlsmgr_ticket_key_source": f"redis:{store.url}",
        "smtpd_tls_session_cache_database": f"redis:{store.url}",
        "tlsmgr_redis_credentials_file": str(store.credentials),
        "tlsmgr_farm_secret_file": "$data_directory/farm-secret",
    }
