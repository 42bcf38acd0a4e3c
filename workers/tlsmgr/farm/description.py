"""What one host tells another of itself, so that both know whether sessions resume on either.

It names no secret: of ticket keys their names, which travel in the clear with every ticket, and of
the farm's secret a fingerprint. Values only: no clock, no I/O.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Self

from tlsmgr.errors import ProtocolError

#: The first member of a description; a description of another format is refused.
FORMAT: Final = 1

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldKey:
    """A ticket key that a host holds: its name, as 32 hexadecimal digits; its epoch, if it is a farm's."""

    name: str
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDescription:
    """A host as far as it matters for resuming another one's sessions.

    Attributes:
        host: Its name, for whoever reads the comparison.
        described_at: When this was written, by its own clock, in seconds since 1970.
        tlsmgr: The version of this program.
        postfix: The version of its Postfix; empty without one.
        timeout: smtpd_tls_session_cache_timeout, in seconds.
        key_source: local, ratchet or redis: where its ticket keys come from.
        key_trouble: Why they do not come from there now; empty when they do.
        clock_skew: tlsmgr_clock_skew, in seconds.
        keys: The ticket keys that it holds.
        database: The type of smtpd_tls_session_cache_database; empty when there is none.
        store: Where a common session store is, without its password; empty when there is none.
        fingerprint: That of the farm's secret; empty when there is none.
        services: The names of the services in master.cf that are smtpd or tlsproxy.
        openssl: OPENSSL_VERSION_NUMBER as session ids have it; 0 when it is not known.
        parameters: Parameters of Postfix that decide what may be resumed, expanded.
    """

    host: str
    described_at: float
    tlsmgr: str
    postfix: str = ""
    timeout: int
    key_source: str
    key_trouble: str = ""
    clock_skew: int
    keys: tuple[HeldKey, ...] = ()
    database: str = ""
    store: str = ""
    fingerprint: str = ""
    services: tuple[str, ...] = ()
    openssl: int = 0
    parameters: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def as_json(self) -> str:
        """Return the description as one JSON object on one line; readers ignore unknown members."""
        members = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {"keys": [asdict(key) for key in self.keys], "parameters": dict(self.parameters)}
        return json.dumps({"format": FORMAT, **members, **plain})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the description that ``as_json`` of this or a later version wrote.

        Raises:
            ProtocolError: it is none.
        """
        try:
            found = json.loads(text)
            if not isinstance(found, dict) or found.get("format") != FORMAT:
                raise ProtocolError("this is no description of a host: see tlsmgr farm describe")
            return cls(**{name: convert(found[name]) for name, convert in _MEMBERS.items() if name in found})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ProtocolError("this description of a host is damaged: have tlsmgr farm describe") from error

    def names_by_epoch(self) -> Mapping[int, frozenset[str]]:
        """Return the names of the farm's keys that this host holds, by epoch."""
        epochs = {key.epoch for key in self.keys if key.epoch is not None}
        return {epoch: frozenset(key.name for key in self.keys if key.epoch == epoch) for epoch in epochs}


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value


def _number(value: Any) -> int:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("expected a whole number")
    return value


def _time(value: Any) -> float:  # noqa: ANN401 - whatever JSON has
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("expected a number")
    return float(value)


def _keys(value: Any) -> tuple[HeldKey, ...]:  # noqa: ANN401 - whatever JSON has
    return tuple(
        HeldKey(name=_text(each["name"]), epoch=None if each["epoch"] is None else _number(each["epoch"]))
        for each in value
    )


def _texts(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever JSON has
    return tuple(_text(each) for each in value)


def _parameters(value: Any) -> Mapping[str, str]:  # noqa: ANN401 - whatever JSON has
    return MappingProxyType({_text(name): _text(text) for name, text in value.items()})


_MEMBERS: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {each.name: _text for each in fields(HostDescription) if each.type in (str, "str")}
    | {
        "described_at": _time,
        "timeout": _number,
        "clock_skew": _number,
        "keys": _keys,
        "services": _texts,
        "openssl": _number,
        "parameters": _parameters,
    }
)
