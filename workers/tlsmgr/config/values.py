"""From the expanded text of a value to the value, by its parameter's kind and range."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from tlsmgr.config.key_source import TicketKeySource, parse_key_source
from tlsmgr.config.maincf import WHITESPACE
from tlsmgr.config.schema import INT_MAX, Kind, Parameter
from tlsmgr.shared_store.address import AddressError


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsLogLevel:
    """What a ``*_tls_loglevel`` asks for.

    ``level`` is the highest level asked for, 0 to 4; single features such as ``cache`` do
    not raise it.
    """

    level: int = 0
    logs_cache_events: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAddress:
    """An IP address, in text, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


Value: TypeAlias = (
    str | int | bool | Path | TlsLogLevel | NetworkAddress | TicketKeySource | tuple[str, ...] | None
)


class BadValueError(ValueError):
    """The text is no value of the parameter; the message is what was expected instead."""


_SEPARATORS = re.compile(r"[, \t\r\n]+")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_TIME = re.compile(r"\+?([0-9]+)([a-z]?)")
_ADDRESS = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]*):([0-9]{1,5})")
_LOOPBACK = "127.0.0.1"
_PORT_MAX = 65535
_UNITS = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800})
#: More digits than any number in range has, and far fewer than int() refuses to read.
_DIGITS_MAX = 40
_BOOLEANS = MappingProxyType({"yes": True, "no": False})
_CACHE_LEVEL = 2
_LEVELS = MappingProxyType(
    {"none": 0, "routine": 1, "debug": 2, "ssl-expert": 3, "ssl-developer": 4}
    | {str(digit): min(digit, 4) for digit in range(10)}
)
_FEATURES = frozenset(
    (
        *("summary", "untrusted", "peercert", "certmatch", "verbose", "cache", "ssl-debug"),
        *("ssl-handshake-packet-dump", "ssl-session-packet-dump"),
    )
)


def convert(parameter: Parameter, text: str) -> Value:
    """Return the value that ``text``, already expanded, has for this parameter.

    A path is not resolved, and None when it is empty and may be.

    Raises:
        BadValueError: the text is malformed or out of range.
    """
    return _CONVERTERS[parameter.kind](parameter, text)


def split_names(text: str) -> tuple[str, ...]:
    """Split a list of names at commas and white space."""
    return tuple(name for name in _SEPARATORS.split(text) if name)


def _string(parameter: Parameter, text: str) -> str:
    if parameter.choices and text not in parameter.choices:
        raise BadValueError(f"expected one of {', '.join(parameter.choices)}")
    if len(text) < parameter.minimum:
        raise BadValueError("expected a text that is not empty")
    return text


def _path(parameter: Parameter, text: str) -> Path | None:
    return Path(_string(parameter, text)) if text or parameter.minimum else None


def _integer(parameter: Parameter, text: str) -> int:
    digits = text.lstrip(WHITESPACE)
    if not _INTEGER.fullmatch(digits):
        raise BadValueError(f"expected a number {_range(parameter)}")
    return _in_range(parameter, digits, 1)


def _time(parameter: Parameter, text: str) -> int:
    matched = _TIME.fullmatch(text.lstrip(WHITESPACE))
    unit = (matched.group(2) or parameter.unit or "s") if matched else ""
    if matched is None or unit not in _UNITS:
        raise BadValueError(f"expected a time {_range(parameter)}: a number, then s, m, h, d or w")
    return _in_range(parameter, matched.group(1), _UNITS[unit])


def _in_range(parameter: Parameter, digits: str, factor: int) -> int:
    value = int(digits) * factor if len(digits) <= _DIGITS_MAX else None
    if value is None or not parameter.minimum <= value <= parameter.maximum:
        raise BadValueError(f"expected a value {_range(parameter)}")
    return value


def _range(parameter: Parameter) -> str:
    unit = " seconds" if parameter.kind is Kind.TIME else ""
    if parameter.maximum >= INT_MAX:
        return f"of {parameter.minimum}{unit} or more"
    return f"from {parameter.minimum} to {parameter.maximum}{unit}"


def _boolean(_parameter: Parameter, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise BadValueError("expected yes or no")
    return _BOOLEANS[text.lower()]


def _loglevel(_parameter: Parameter, text: str) -> TlsLogLevel:
    words = {word.lower() for word in split_names(text)}
    if unknown := sorted(words - _FEATURES - _LEVELS.keys()):
        expected = f"expected 0 to 4, or names of {', '.join(sorted(_FEATURES | _NAMED_LEVELS))}"
        raise BadValueError(f"{expected}; not {unknown[0][:40]!r}")
    level = max((_LEVELS.get(word, 0) for word in words), default=0)
    return TlsLogLevel(level=level, logs_cache_events=level >= _CACHE_LEVEL or "cache" in words)


def _users(_parameter: Parameter, text: str) -> tuple[str, ...]:
    return split_names(text)


def _address(_parameter: Parameter, text: str) -> NetworkAddress | None:
    if not text:
        return None
    matched = _ADDRESS.fullmatch(text)
    if matched is None or not 1 <= int(matched.group(2)) <= _PORT_MAX:
        raise BadValueError("expected :port, address:port or [address]:port, or nothing")
    host = matched.group(1).strip("[]") or _LOOPBACK
    try:
        return NetworkAddress(host=str(ip_address(host)), port=int(matched.group(2)))
    except ValueError:
        raise BadValueError("expected an IP address in numbers before the port") from None


def _key_source(_parameter: Parameter, text: str) -> TicketKeySource:
    try:
        source = parse_key_source(text)
    except AddressError as error:
        raise BadValueError(f"after 'redis:': {error}") from error
    if source is None:
        raise BadValueError("expected local, ratchet:file, or redis:URL")
    return source


_NAMED_LEVELS = frozenset(name for name in _LEVELS if not name.isdigit())

_CONVERTERS: Mapping[Kind, Callable[[Parameter, str], Value]] = MappingProxyType(
    {
        Kind.STRING: _string,
        Kind.PATH: _path,
        Kind.TIME: _time,
        Kind.INTEGER: _integer,
        Kind.BOOLEAN: _boolean,
        Kind.LOGLEVEL: _loglevel,
        Kind.USERS: _users,
        Kind.ADDRESS: _address,
        Kind.KEY_SOURCE: _key_source,
    }
)
