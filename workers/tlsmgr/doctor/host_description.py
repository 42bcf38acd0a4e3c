"""What this host is like, for another host of the farm to compare itself with."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tlsmgr.config.settings import Settings
from tlsmgr.farm.comparison import COMPARED_PARAMETERS, LOCAL
from tlsmgr.farm.description import HeldKey, HostDescription
from tlsmgr.hookup.postconf import Postconf
from tlsmgr.messages import CacheType
from tlsmgr.version import __version__

_COMMAND_FIELD: Final = 7
# The programs whose sessions a client may bring along.
_SERVERS: Final = frozenset({"smtpd", "tlsproxy"})
# The end of a session's key: the number of OpenSSL's version, as its linker has it.
_OPENSSL: Final = re.compile(rb"&l=([0-9]{1,10})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the cache server said, as far as it runs.

    Attributes:
        keys: The ticket keys, as the method ``keys`` lists them.
        smtpd_ids: Some keys of sessions of smtpd.
        trouble: Why it does not answer, or has no keys of the farm; empty when all is well.
        fingerprint: Of the farm's secret; empty when there is none.
    """

    keys: Sequence[Mapping[str, Any]] = ()
    smtpd_ids: Iterable[bytes] = ()
    trouble: str = ""
    fingerprint: str = ""


def describe_host(
    settings: Settings, postconf: Postconf | None, answers: Answers, *, host: str, now: float
) -> HostDescription:
    """Return the description of this host.

    Args:
        settings: The parameters.
        postconf: Postfix's own view; None where no Postfix uses this configuration.
        answers: What the cache server said.
        host: The host's name.
        now: The time of day in seconds since 1970.

    Raises:
        HostError: Postfix's configuration cannot be read.
    """
    smtpd = settings.caches[CacheType.SMTPD]
    source = settings.tlsmgr_ticket_key_source.kind
    return HostDescription(
        host=host,
        described_at=now,
        tlsmgr=__version__,
        postfix="" if postconf is None else postconf.value("mail_version"),
        timeout=smtpd.timeout,
        key_source=source,
        key_trouble=_key_trouble(source, answers),
        clock_skew=settings.tlsmgr_clock_skew,
        keys=tuple(HeldKey(name=each["name"].hex(), epoch=each.get("epoch")) for each in answers.keys),
        database="" if smtpd.database is None else smtpd.database.kind,
        store=settings.smtpd_tls_session_cache_database.partition(":")[2] if _is_shared(settings) else "",
        fingerprint=answers.fingerprint,
        services=() if postconf is None else _services(postconf),
        openssl=_openssl(answers.smtpd_ids),
        parameters={} if postconf is None else postconf.values(COMPARED_PARAMETERS),
    )


def _is_shared(settings: Settings) -> bool:
    database = settings.caches[CacheType.SMTPD].database
    return database is not None and database.kind == "redis"


def _key_trouble(source: str, answers: Answers) -> str:
    if source == LOCAL or any(each["state"] == "current" and "epoch" in each for each in answers.keys):
        return ""
    return answers.trouble or "the log of its cache server says why"


def _services(postconf: Postconf) -> tuple[str, ...]:
    entries = (entry for entry in postconf.services() if len(entry) > _COMMAND_FIELD)
    return tuple(entry[0] for entry in entries if entry[_COMMAND_FIELD] in _SERVERS)


def _openssl(ids: Iterable[bytes]) -> int:
    found = next((match for match in map(_OPENSSL.search, ids) if match), None)
    return 0 if found is None else int(found[1])
