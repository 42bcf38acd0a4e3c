"""What would keep one host from resuming another one's sessions, as their descriptions have it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tlsmgr.farm.description import HostDescription

LOCAL: Final = "local"
#: The type of a database that hosts have in common.
SHARED_DATABASE: Final = "redis"

_TICKET_CIPHER: Final = "tls_session_ticket_cipher"
#: What a session may have been made with on one host, and may not be resumed with on another.
LIMITS: Final = (
    "smtpd_tls_protocols",
    "smtpd_tls_mandatory_protocols",
    "smtpd_tls_ciphers",
    "smtpd_tls_mandatory_ciphers",
    "smtpd_tls_exclude_ciphers",
    "smtpd_tls_mandatory_exclude_ciphers",
    "tls_high_cipherlist",
    "tls_medium_cipherlist",
    "tls_ssl_options",
)
#: All parameters of Postfix that a description has to have.
COMPARED_PARAMETERS: Final = (_TICKET_CIPHER, *LIMITS)

# Postfix 3.12 writes the name of the service into each ticket, and takes no other's.
_STAMPED_TICKETS: Final = (3, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why sessions of one host do not resume on another.

    Attributes:
        concerns: ``tickets``, ``session ids`` or ``sessions``, which is both.
        text: What was found.
        advice: What to do.
        is_certain: False where only some sessions may be concerned.
    """

    concerns: str
    text: str
    advice: str
    is_certain: bool = True


_Check: TypeAlias = Callable[[HostDescription, HostDescription], Iterator[Obstacle]]


def obstacles(ours: HostDescription, theirs: HostDescription) -> list[Obstacle]:
    """Return all that keeps either host from resuming the other one's sessions; none when all is well."""
    return [found for check in _CHECKS for found in check(ours, theirs)]


def clock_obstacle(ours: HostDescription, difference: float) -> Obstacle | None:
    """Return what is to be said of clocks that differ by so many seconds, measured while both ran."""
    if ours.key_source == LOCAL or abs(difference) <= ours.clock_skew:
        return None
    return Obstacle(
        concerns="tickets",
        text=f"the clocks differ by {abs(difference):.0f} s, and tlsmgr_clock_skew is {ours.clock_skew} s",
        advice="have both hosts keep the time (NTP), or raise tlsmgr_clock_skew on all hosts",
    )


def _timeouts(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    if ours.timeout != theirs.timeout:
        yield Obstacle(
            concerns="sessions",
            text=f"smtpd_tls_session_cache_timeout: {_both(f'{ours.timeout}s', f'{theirs.timeout}s')}",
            advice="set it alike on all hosts; the farm's epochs are half of it",
        )
    elif ours.timeout <= 0:
        yield Obstacle(
            concerns="sessions",
            text="smtpd_tls_session_cache_timeout is 0: no session is kept or resumed at all",
            advice="set it to 3600s, say, on all hosts",
        )


def _key_sources(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    sources = {ours.key_source, theirs.key_source}
    if sources == {LOCAL}:
        yield Obstacle(
            concerns="tickets",
            text="each host makes its own ticket keys (tlsmgr_ticket_key_source = local)",
            advice="set tlsmgr_ticket_key_source to ratchet:FILE or redis:URL on both",
        )
    elif len(sources) > 1:
        yield Obstacle(
            concerns="tickets",
            text=f"tlsmgr_ticket_key_source: {_both(ours.key_source, theirs.key_source)}",
            advice="set it alike on all hosts",
        )
    for each in (ours, theirs):
        if each.key_trouble:
            yield Obstacle(
                concerns="tickets",
                text=f"{each.host} has no keys of the farm now: {each.key_trouble}",
                advice=f"see tlsmgr doctor on {each.host}",
            )


def _keys(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    if LOCAL in {ours.key_source, theirs.key_source} or ours.timeout != theirs.timeout:
        return  # said already
    mine, others = ours.names_by_epoch(), theirs.names_by_epoch()
    if different := sorted(epoch for epoch in mine.keys() & others.keys() if not mine[epoch] & others[epoch]):
        yield Obstacle(
            concerns="tickets",
            text=f"both have a ticket key of epoch {different[0]}, and not the same one",
            advice="bring the farm's secret of one host to the other: tlsmgr farm export, tlsmgr farm import",
        )
    elif mine and others and not mine.keys() & others.keys():
        yield Obstacle(
            concerns="tickets",
            text=f"they have keys of different epochs: {_both(_span(mine), _span(others))}",
            advice="compare descriptions of the same minute; if they are, set the clocks",
        )


def _ticket_ciphers(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    mine, other = ours.parameters.get(_TICKET_CIPHER), theirs.parameters.get(_TICKET_CIPHER)
    if mine != other and mine is not None and other is not None:
        yield Obstacle(
            concerns="tickets",
            text=f"{_TICKET_CIPHER}: {_both(mine, other)}",
            advice="set it alike in main.cf on all hosts; postfix reload",
        )


def _stores(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    databases = (ours.database, theirs.database)
    if databases != (SHARED_DATABASE, SHARED_DATABASE):
        yield Obstacle(
            concerns="session ids",
            text="smtpd_tls_session_cache_database is not shared:"
            f" {_both(*(each or 'none' for each in databases))}",
            advice="clients without tickets need redis:URL on both; clients with tickets do not need it",
            is_certain=False,
        )
        return
    if ours.store != theirs.store:
        yield Obstacle(
            concerns="session ids",
            text=f"the session stores have different addresses: {_both(ours.store, theirs.store)}",
            advice="see that both lead to one store and one database",
            is_certain=False,
        )
    yield from _versions_in_session_ids(ours, theirs)


def _versions_in_session_ids(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    if ours.openssl and theirs.openssl and ours.openssl != theirs.openssl:
        yield Obstacle(
            concerns="session ids",
            text="Postfix uses different versions of OpenSSL, which are part of the keys of sessions:"
            f" {_both(f'{ours.openssl:#x}', f'{theirs.openssl:#x}')}",
            advice="bring both to one version; until then only tickets resume",
        )


def _secrets(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    if ours.fingerprint and theirs.fingerprint and ours.fingerprint != theirs.fingerprint:
        yield Obstacle(
            concerns="sessions",
            text="the farm's secrets are not the same: neither host can open what the other one sealed",
            advice="bring the secret of one host to the other: tlsmgr farm export, tlsmgr farm import",
        )


def _services(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    for here, there in ((ours, theirs), (theirs, ours)):
        if alone := sorted(set(here.services) - set(there.services)) if there.services else []:
            yield Obstacle(
                concerns="sessions" if _stamps_tickets(here) else "session ids",
                text=f"master.cf of {here.host} has {', '.join(alone)}, and that of {there.host} has not:"
                " the name is part of what is resumed",
                advice="name the services alike (smtp is not 25, nor 192.0.2.1:smtp) on all hosts",
                is_certain=False,
            )


def _postfix_versions(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    if ours.postfix and theirs.postfix and _stamps_tickets(ours) != _stamps_tickets(theirs):
        yield Obstacle(
            concerns="tickets",
            text="only Postfix 3.12 and later write the service's name into tickets:"
            f" {_both(ours.postfix, theirs.postfix)}",
            advice="bring all hosts to one side of 3.12",
        )


def _limits(ours: HostDescription, theirs: HostDescription) -> Iterator[Obstacle]:
    for name in LIMITS:
        mine, other = ours.parameters.get(name), theirs.parameters.get(name)
        if mine is not None and other is not None and mine != other:
            yield Obstacle(
                concerns="sessions",
                text=f"{name}: {_both(mine or 'empty', other or 'empty')}",
                advice="set it alike: a session made with what only one host allows resumes there only",
                is_certain=False,
            )


_CHECKS: Final[Sequence[_Check]] = (
    _timeouts,
    _key_sources,
    _secrets,
    _keys,
    _ticket_ciphers,
    _postfix_versions,
    _stores,
    _services,
    _limits,
)


def _stamps_tickets(host: HostDescription) -> bool:
    numbers = host.postfix.split("-", maxsplit=1)[0].split(".")
    return tuple(int(each) for each in numbers if each.isdecimal())[:2] >= _STAMPED_TICKETS


def _span(epochs: Iterable[int]) -> str:
    return ", ".join(str(epoch) for epoch in sorted(epochs))


def _both(ours: str, theirs: str) -> str:
    return f"{ours} here, {theirs} there"
