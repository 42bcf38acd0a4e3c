"""redis-py's clients, one for each layout of servers: without retries, health checks and extra commands.

Whoever asks has a deadline; what failed is asked again by whoever wants it next.
"""

import encodings.idna  # noqa: F401  # a name's encoding for TLS, which could not be loaded in a jail
import ssl
from typing import Any, Final, TypeAlias

from redis.asyncio import (
    Connection,
    ConnectionPool,
    Redis,
    RedisCluster,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection
from redis.backoff import NoBackoff

from tlsmgr.errors import ConfigurationError
from tlsmgr.shared_store.address import Credentials, Layout, StoreAddress, TlsFiles

#: How long a connection may take to come about, or an answer to come: seconds.
SOCKET_TIMEOUT: Final = 1.0
#: More than we ever have under way.
_CONNECTIONS_MAX: Final = 128

Client: TypeAlias = Redis | RedisCluster
_Options: TypeAlias = dict[str, Any]


def make_client(address: StoreAddress, credentials: Credentials | None) -> Client:
    """Return the client, not connected yet. With TLS it may take 100 ms to read the authorities.

    Raises:
        ConfigurationError: a file of TLS cannot be used.
    """
    context = None if address.tls is None else _tls_context(address.tls)
    login = {} if credentials is None else _login(credentials)
    if address.layout is Layout.CLUSTER:
        return _cluster(address, login, context)
    if address.layout is Layout.SENTINEL:
        return _sentinel(address, login, context)
    if address.path is not None:
        place: _Options = {"connection_class": UnixDomainSocketConnection, "path": str(address.path)}
    else:
        place = _host(address.hosts[0], context)
    return Redis.from_pool(ConnectionPool(**place, **_timing(), **login, db=address.database))


async def close_client(client: Client) -> None:
    """Close a client and all that belongs to it."""
    await client.aclose()
    if isinstance(client, Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _timing() -> _Options:
    return {
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": SOCKET_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,  # the newer one takes a command more to connect, and gains us nothing
        "driver_info": None,  # likewise
        "max_connections": _CONNECTIONS_MAX,
    }


def _login(credentials: Credentials) -> _Options:
    return {"username": credentials.user or None, "password": credentials.password}


def _host(host: tuple[str, int], context: ssl.SSLContext | None) -> _Options:
    kind = Connection if context is None else _with_tls(context, SSLConnection)
    return {"connection_class": kind, "host": host[0], "port": host[1]}


def _sentinel(address: StoreAddress, login: _Options, context: ssl.SSLContext | None) -> Redis:
    sentinel_login = login if address.sentinel_login else {}
    sentinels = Sentinel([])  # type: ignore[no-untyped-call]  # redis-py leaves some without types
    sentinels.sentinels = [
        Redis.from_pool(ConnectionPool(**_host(host, context), **_timing(), **sentinel_login))
        for host in address.hosts
    ]
    kind: type[Connection] = SentinelManagedConnection
    if context is not None:
        kind = _with_tls(context, SentinelManagedConnection, SSLConnection)
    pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]  # likewise
        address.service,
        sentinels,
        connection_class=kind,
        **_timing(),
        **login,
        db=address.database,
    )
    return Redis.from_pool(pool)


def _cluster(address: StoreAddress, login: _Options, context: ssl.SSLContext | None) -> RedisCluster:
    cluster = RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
        # A range of slots that nobody serves is no reason to go without the others.
        require_full_coverage=False,
        ssl=context is not None,
        **_timing(),
        **login,
    )
    if context is not None:
        # The client takes names of files only, and would read them for each connection.
        kind = _with_tls(context, SSLConnection)
        cluster.nodes_manager.connection_kwargs["connection_class"] = kind
        for node in cluster.nodes_manager.startup_nodes.values():
            node.connection_class = kind
    return cluster


def _with_tls(context: ssl.SSLContext, *kinds: type[AbstractConnection]) -> Any:  # noqa: ANN401  # a class of its own
    """Return a class of connections that use ``context``.

    redis-py reads the authorities anew for each connection, which holds the event loop for up to 100 ms.
    """

    def arguments(self: Connection) -> dict[str, Any]:
        return {"host": self.host, "port": self.port, "ssl": context}

    return type("PreparedTlsConnection", kinds, {"_connection_arguments": arguments})


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=None if files.ca_file is None else str(files.ca_file),
            capath=None if files.ca_directory is None else str(files.ca_directory),
        )
        if files.certificate is not None:
            # Without a password given, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"a file that the URL of the shared store names for TLS cannot be used: {error};"
            " $mail_owner must be able to read it"
        ) from error
    context.check_hostname = files.checks_name
    return context
