"""Who is at the other end of a UNIX socket."""

import pwd
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from tlsmgr.errors import ConfigurationError

_UCRED = struct.Struct("3i")


class _HasSocketOptions(Protocol):
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCredentials:
    """The process that connected, as the kernel vouches for it (SO_PEERCRED, unix(7))."""

    process_id: int
    user_id: int
    group_id: int


def peer_credentials(connected: _HasSocketOptions) -> PeerCredentials:
    """Return the credentials of the process at the other end of ``connected``.

    Raises:
        OSError: The peer is gone already.
    """
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    process_id, user_id, group_id = _UCRED.unpack(raw)
    return PeerCredentials(process_id=process_id, user_id=user_id, group_id=group_id)


def user_ids(names: Iterable[str]) -> frozenset[int]:
    """Return the user ids of these user names.

    Raises:
        ConfigurationError: The host knows no user of that name.
    """
    return frozenset(user_id(name) for name in names)


def user_id(name: str) -> int:
    """Return the user id of the user called ``name``.

    Raises:
        ConfigurationError: The host knows no user of that name.
    """
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigurationError(f"unknown user {name!r}: the user database has no such name") from None
