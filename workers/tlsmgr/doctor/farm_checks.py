"""Checks of what the hosts of a farm have in common."""

from collections.abc import Iterator

from tlsmgr.doctor.findings import Finding, failed, ok, warning
from tlsmgr.doctor.surroundings import Surroundings
from tlsmgr.errors import ConfigurationError
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.secret import FarmSecret
from tlsmgr.farm.secret_file import can_be_replaced_by, read_farm_secret
from tlsmgr.messages import CacheType
from tlsmgr.transport.peer import user_id

_SECRET = "farm's secret"  # noqa: S105 - the name of a check
_KEYS = "farm's ticket keys"
_IMPORT = "on another host: tlsmgr farm export FILE; here: tlsmgr farm import FILE"


def secret(host: Surroundings) -> Iterator[Finding]:
    """The farm's secret is private, fits the timeout, and is where the clock is."""
    settings = host.settings
    path, timeout = settings.tlsmgr_ticket_key_source.file, settings.caches[CacheType.SMTPD].timeout
    if path is None or timeout == 0:
        return
    owner = user_id(settings.mail_owner)
    try:
        found = read_farm_secret(path, parameter="tlsmgr_ticket_key_source", owners={owner})
    except ConfigurationError as error:
        yield failed(_SECRET, str(error), _IMPORT)
        return
    if not can_be_replaced_by(path, owner):
        text = f"{path.parent} is not {settings.mail_owner}'s alone, so that former keys may stay in the file"
        yield failed(_SECRET, text, f"move the file into {settings.data_directory}")
    else:
        yield _place(found, EpochRules.for_timeout(timeout, settings.tlsmgr_clock_skew), int(host.now))


def _place(found: FarmSecret, rules: EpochRules, now: int) -> Finding:
    ratchet = found.ratchet
    if ratchet.epoch_seconds != rules.epoch_seconds:
        text = f"it is for smtpd_tls_session_cache_timeout = {2 * ratchet.epoch_seconds}s"
        return failed(_SECRET, text, "set that, as on the other hosts, or make a new secret for all")
    ahead = ratchet.epoch - rules.epoch_at(now)
    if ahead > 1:
        text = f"it is {ahead} epochs ahead of this host's clock"
        return failed(_SECRET, text, "set the clock right: timedatectl says how it is kept")
    if rules.oldest_accepted(now) - ratchet.epoch > 1:
        text = f"it is {-ahead} epochs behind this host's clock, and has the keys of all of them"
        return warning(_SECRET, text, "see that cache-server runs, its log, and that the clock is right")
    return ok(_SECRET, f"{found.fingerprint}, at epoch {ratchet.epoch}")


def keys(host: Surroundings) -> Iterator[Finding]:
    """The ticket keys that the cache server gives out are those of the farm."""
    if not host.settings.tlsmgr_ticket_key_source.is_shared:
        return
    figures = host.stats.get("cache-server", {}).get("farm")
    if not isinstance(figures, dict) or not figures:
        advice = "see that cache-server runs; kill -HUP makes it read the configuration again"
        yield failed(_KEYS, "the cache server does not say that it has any", advice)
    elif trouble := figures.get("trouble"):
        yield failed(_KEYS, str(trouble), "mend that; until then tickets of this host are good on it alone")
    elif trouble := figures.get("file_trouble"):
        yield warning(_KEYS, str(trouble), "mend that, before a restart needs the file")
    else:
        yield ok(_KEYS, f"they come from the {figures.get('source')}")
