"""Clients for programs that want what Postfix's daemons get from tlsmgr.

``Client`` blocks, ``AsyncClient`` is for asyncio. Both speak MessagePack-RPC to the
cache server's socket (``$tlsmgr_run_directory/cache-server.sock``), connect when they
are first used, bound every call in time, and connect anew when the server was restarted.
"""

from tlsmgr.client.asynchronous import AsyncClient
from tlsmgr.client.blocking import Client
from tlsmgr.client.replies import CachingPolicy, RequestRefusedError
from tlsmgr.errors import ProtocolError, ServerUnavailableError
from tlsmgr.messages import CacheType

__all__ = [
    "AsyncClient",
    "CacheType",
    "CachingPolicy",
    "Client",
    "ProtocolError",
    "RequestRefusedError",
    "ServerUnavailableError",
]
