import re

import pytest

from tlsmgr.config.expansion import references
from tlsmgr.config.parameters import (
    PARAMETERS,
    database_name,
    loglevel_name,
    timeout_name,
)
from tlsmgr.config.schema import INT_MAX, Kind, Section
from tlsmgr.messages import CacheType

#: Recorded from postconf -d of Debian's Postfix 3.7.11.
POSTFIX_DEFAULTS = {
    "compatibility_level": "0",
    "config_directory": "/etc/postfix",
    "daemon_timeout": "18000s",
    "data_directory": "/var/lib/postfix",
    "default_database_type": "hash",
    "lmtp_tls_loglevel": "0",
    "lmtp_tls_session_cache_database": "",
    "lmtp_tls_session_cache_timeout": "3600s",
    "mail_owner": "postfix",
    "multi_instance_name": "",
    "queue_directory": "/var/spool/postfix",
    "service_name": "",
    "smtp_tls_loglevel": "0",
    "smtp_tls_session_cache_database": "",
    "smtp_tls_session_cache_timeout": "3600s",
    "smtpd_tls_loglevel": "0",
    "smtpd_tls_session_cache_database": "",
    "smtpd_tls_session_cache_timeout": "3600s",
    "syslog_facility": "mail",
    "syslog_name": "${multi_instance_name?{$multi_instance_name}:{postfix}}",
    "tls_random_bytes": "32",
    "tls_random_exchange_name": "${data_directory}/prng_exch",
    "tls_random_prng_update_period": "3600s",
    "tls_random_reseed_period": "3600s",
    "tls_random_source": "dev:/dev/urandom",
    "tlsmgr_service_name": "tlsmgr",
}

OWN_DEFAULTS = {
    "tlsmgr_authorized_users": "root, $mail_owner",
    "tlsmgr_client_connection_limit": "4000",
    "tlsmgr_clock_skew": "30s",
    "tlsmgr_farm_secret_file": "",
    "tlsmgr_memory_cache_size": "67108864",
    "tlsmgr_metrics_address": "",
    "tlsmgr_protocol_announcement": "yes",
    "tlsmgr_redis_credentials_file": "",
    "tlsmgr_request_size_limit": "65536",
    "tlsmgr_run_directory": "${data_directory}/run",
    "tlsmgr_sealing_key_file": "",
    "tlsmgr_session_cache_entry_limit": "1000000",
    "tlsmgr_session_cache_size_limit": "1073741824",
    "tlsmgr_ticket_key_lease": "0s",
    "tlsmgr_ticket_key_source": "local",
}

RANGES = {
    "daemon_timeout": (1, INT_MAX),
    "lmtp_tls_session_cache_timeout": (0, 8640000),
    "smtp_tls_session_cache_timeout": (0, 8640000),
    "smtpd_tls_session_cache_timeout": (0, 8640000),
    "tls_random_bytes": (1, INT_MAX),
    "tls_random_prng_update_period": (1, INT_MAX),
    "tls_random_reseed_period": (1, INT_MAX),
}


def test_the_table_has_the_defaults_of_postfix_and_of_the_contract() -> None:
    """An administrator who knows postconf(5) knows these; the process gives the rest."""
    computed = {"process_id": "", "process_name": ""}
    expected = POSTFIX_DEFAULTS | OWN_DEFAULTS | computed
    assert {name: row.default for name, row in PARAMETERS.items()} == expected


@pytest.mark.parametrize(("name", "limits"), RANGES.items())
def test_a_range_is_that_of_postfix(name: str, limits: tuple[int, int]) -> None:
    """The limits are those that Postfix's own tlsmgr sets."""
    assert (PARAMETERS[name].minimum, PARAMETERS[name].maximum) == limits


def test_the_table_is_in_alphabetical_order_under_the_parameters_own_names() -> None:
    """Everything that is made from it comes out sorted."""
    assert list(PARAMETERS) == sorted(PARAMETERS)
    assert all(name == row.name for name, row in PARAMETERS.items())


def test_every_time_has_a_unit_and_nothing_else_has() -> None:
    """The unit is what a bare number is read in."""
    assert all((row.unit == "s") == (row.kind is Kind.TIME) for row in PARAMETERS.values())


def test_every_parameter_has_one_line_of_help() -> None:
    """A manual page needs a sentence for each."""
    assert all(re.fullmatch(r"[^\n]{10,110}\.", row.help) for row in PARAMETERS.values())
    assert {row.section for row in PARAMETERS.values()} == set(Section)


def test_a_default_refers_to_known_parameters_only() -> None:
    """No default depends on what a file happens to define."""
    assert {name for row in PARAMETERS.values() for name in references(row.default)} <= PARAMETERS.keys()


def test_only_what_postfix_computes_is_read_only() -> None:
    """A file can set all others."""
    read_only = {row.name for row in PARAMETERS.values() if row.read_only}
    assert read_only == {"process_id", "process_name", "service_name"}


@pytest.mark.parametrize("cache_type", CacheType)
def test_every_cache_has_its_three_parameters(cache_type: CacheType) -> None:
    """Their names are made from the name of the cache."""
    names = {loglevel_name(cache_type), database_name(cache_type), timeout_name(cache_type)}
    assert names <= PARAMETERS.keys()
