"""Where a shared store is: URLs as redis-py takes them, and those for Sentinel and Cluster.

::

    redis://HOST:PORT/DATABASE                     rediss://... the same with TLS
    unix:///PATH?db=DATABASE
    redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DATABASE      rediss+sentinel://...
    redis+cluster://HOST:PORT,HOST:PORT                        rediss+cluster://...

User and password are in a file of their own: everybody may read main.cf.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_PORT_MAX: Final = 65535
_DATABASE_MAX: Final = 1_000_000
_TLS_OPTIONS: Final = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_SWITCHES: Final = {"yes": True, "true": True, "no": False, "false": False}


class AddressError(ValueError):
    """The URL names no store; the message says what was expected, and quotes no password."""


class Layout(Enum):
    """How the servers behind a URL belong together."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_SCHEMES: Final[Mapping[str, tuple[Layout, bool]]] = {
    "redis": (Layout.SINGLE, False),
    "rediss": (Layout.SINGLE, True),
    "unix": (Layout.SINGLE, False),
    "redis+sentinel": (Layout.SENTINEL, False),
    "rediss+sentinel": (Layout.SENTINEL, True),
    "redis+cluster": (Layout.CLUSTER, False),
    "rediss+cluster": (Layout.CLUSTER, True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """What a connection with TLS goes by; without any file, the system's authorities.

    The server's certificate is always checked; its name is unless ``checks_name`` is off.
    """

    ca_file: Path | None = None
    ca_directory: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    checks_name: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """A shared store's address, without a secret.

    Attributes:
        text: the URL as it was written: it may be shown.
        hosts: names or addresses with their ports; of the sentinels, of some of a cluster's servers.
        path: the UNIX socket; then there are no hosts.
        service: what the sentinels call the group of servers.
        sentinel_login: whether the sentinels, too, want user and password.
        tls: None for a connection in the clear.
    """

    text: str
    layout: Layout
    hosts: tuple[tuple[str, int], ...] = ()
    path: Path | None = None
    database: int = 0
    service: str = ""
    sentinel_login: bool = False
    tls: TlsFiles | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to the store; ``user`` is empty for its default user."""

    user: str = ""
    password: str = field(default="", repr=False)


def parse_credentials(content: bytes) -> Credentials | None:
    """Return what one line ``user:password`` or ``password`` says; None if it is no such line."""
    try:
        line = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    user, colon, password = line.partition(":")
    if not colon:
        user, password = "", line
    is_one_line = not any(character in line for character in "\r\n\0")
    return Credentials(user=user, password=password) if password and is_one_line else None


def parse_address(text: str) -> StoreAddress:
    """Return the address that a URL has.

    Raises:
        AddressError: it has none.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise AddressError(f"expected a URL that begins with one of {', '.join(_SCHEMES)} and ://")
    layout, has_tls = _SCHEMES[scheme]
    # Not by urlsplit: it knows of one host only, and drops characters that it does not like.
    place, _, query = rest.partition("?")
    netloc, slash, path = place.partition("/")
    path = slash + path
    if "@" in netloc:
        raise AddressError(
            "expected a URL without user and password: they belong into tlsmgr_redis_credentials_file"
        )
    if "#" in rest or not rest.isprintable() or " " in rest or "\0" in unquote(rest):
        raise AddressError("expected a URL without #, spaces and control characters")
    options = _Options(query)
    tls = options.tls() if has_tls else None
    if scheme == "unix":
        address = _unix_address(text, netloc, path, options)
    elif layout is Layout.SENTINEL:
        address = _sentinel_address(text, netloc, path, options, tls)
    else:
        address = _address(text, layout, netloc, path, options, tls)
    options.check_all_used()
    return address


def _unix_address(text: str, netloc: str, path: str, options: "_Options") -> StoreAddress:
    if netloc or not path.strip("/"):
        raise AddressError("expected unix:///PATH, with an absolute path")
    database = _database(options.take("db"))
    return StoreAddress(text=text, layout=Layout.SINGLE, path=Path(unquote(path)), database=database)


def _sentinel_address(
    text: str, netloc: str, path: str, options: "_Options", tls: TlsFiles | None
) -> StoreAddress:
    service, _, database = unquote(path).strip("/").partition("/")
    if not service:
        raise AddressError("expected the name of the service after the sentinels, as in //HOST:PORT/SERVICE")
    return StoreAddress(
        text=text,
        layout=Layout.SENTINEL,
        hosts=_hosts(netloc, _SENTINEL_PORT),
        service=service,
        database=_database(database or options.take("db")),
        sentinel_login=options.switch("sentinel_login", default=False),
        tls=tls,
    )


def _address(
    text: str, layout: Layout, netloc: str, path: str, options: "_Options", tls: TlsFiles | None
) -> StoreAddress:
    hosts = _hosts(netloc, _PORT)
    if layout is Layout.SINGLE and len(hosts) > 1:
        raise AddressError("expected one host; several belong to redis+sentinel:// or redis+cluster://")
    database = _database(path.strip("/") or options.take("db"))
    if layout is Layout.CLUSTER and database:
        raise AddressError("expected no database: a cluster has number 0 alone")
    return StoreAddress(text=text, layout=layout, hosts=hosts, database=database, tls=tls)


class _Options:
    """What stands after the question mark; each is to be asked for once."""

    def __init__(self, query: str) -> None:
        pairs = parse_qsl(query, keep_blank_values=True)
        self._values = dict(pairs)
        if len(self._values) != len(pairs):
            raise AddressError("expected each option once")

    def take(self, name: str) -> str:
        return self._values.pop(name, "")

    def switch(self, name: str, *, default: bool) -> bool:
        text = self.take(name).lower()
        if text and text not in _SWITCHES:
            raise AddressError(f"{name}: expected yes or no")
        return _SWITCHES.get(text, default)

    def tls(self) -> TlsFiles:
        paths = [Path(value) if (value := self.take(name)) else None for name in _TLS_OPTIONS]
        if any(path is not None and not path.is_absolute() for path in paths):
            raise AddressError(f"expected absolute paths for {', '.join(_TLS_OPTIONS)}")
        ca_file, ca_directory, certificate, key = paths
        if key is not None and certificate is None:
            raise AddressError("ssl_keyfile: expected ssl_certfile with it")
        checks_name = self.switch("ssl_check_hostname", default=True)
        return TlsFiles(
            ca_file=ca_file,
            ca_directory=ca_directory,
            certificate=certificate,
            key=key,
            checks_name=checks_name,
        )

    def check_all_used(self) -> None:
        if self._values:
            known = ("db", *_TLS_OPTIONS, "ssl_check_hostname", "sentinel_login")
            raise AddressError(
                f"option {next(iter(self._values))[:40]!r} is not known, or not for this kind of URL:"
                f" expected some of {', '.join(known)}"
            )


def _hosts(netloc: str, default_port: int) -> tuple[tuple[str, int], ...]:
    return tuple(_host(each, default_port) for each in netloc.split(","))


def _host(text: str, default_port: int) -> tuple[str, int]:
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        is_good = bool(bracket) and (not port or port.startswith(":"))
        port = port.removeprefix(":")
    else:
        name, _, port = text.partition(":")
        is_good = True
    if not is_good or not name:
        raise AddressError("expected HOST or HOST:PORT, an IPv6 address in brackets")
    return name, _number(port, "a port", 1, _PORT_MAX) if port else default_port


def _database(text: str) -> int:
    return _number(text, "the number of a database", 0, _DATABASE_MAX) if text else 0


def _number(text: str, what: str, minimum: int, maximum: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < len(str(maximum)) + 1):
        raise AddressError(f"expected {what}, not {text[:40]!r}")
    if not minimum <= int(text) <= maximum:
        raise AddressError(f"expected {what}, {minimum} to {maximum}, not {text}")
    return int(text)
