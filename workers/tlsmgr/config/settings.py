"""The parameters as typed values, checked: what the rest of the program reads."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tlsmgr.config.caches import CacheSettings, cache_settings
from tlsmgr.config.configuration import Configuration, load_configuration
from tlsmgr.config.key_source import TicketKeySource
from tlsmgr.config.maincf import Place
from tlsmgr.config.parameters import PARAMETERS, database_name
from tlsmgr.config.reading import ValueReader
from tlsmgr.config.schema import Kind
from tlsmgr.config.unknown import unknown_name_warnings
from tlsmgr.config.values import NetworkAddress, TlsLogLevel
from tlsmgr.messages import CacheType


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every parameter under its own name; times in seconds, sizes in bytes, paths absolute.

    ``caches`` has every cache type, with what the three parameters of each come to.
    ``origins`` tells where each parameter's value comes from.
    """

    compatibility_level: str
    config_directory: Path
    daemon_timeout: int
    data_directory: Path
    default_database_type: str
    lmtp_tls_loglevel: TlsLogLevel
    lmtp_tls_session_cache_database: str
    lmtp_tls_session_cache_timeout: int
    mail_owner: str
    multi_instance_name: str
    process_id: str
    process_name: str
    queue_directory: Path
    service_name: str
    smtp_tls_loglevel: TlsLogLevel
    smtp_tls_session_cache_database: str
    smtp_tls_session_cache_timeout: int
    smtpd_tls_loglevel: TlsLogLevel
    smtpd_tls_session_cache_database: str
    smtpd_tls_session_cache_timeout: int
    syslog_facility: str
    syslog_name: str
    tls_random_bytes: int
    tls_random_exchange_name: Path | None
    tls_random_prng_update_period: int
    tls_random_reseed_period: int
    tls_random_source: str
    tlsmgr_authorized_users: tuple[str, ...]
    tlsmgr_client_connection_limit: int
    tlsmgr_clock_skew: int
    tlsmgr_farm_secret_file: Path | None
    tlsmgr_memory_cache_size: int
    tlsmgr_metrics_address: NetworkAddress | None
    tlsmgr_protocol_announcement: bool
    tlsmgr_redis_credentials_file: Path | None
    tlsmgr_request_size_limit: int
    tlsmgr_run_directory: Path
    tlsmgr_sealing_key_file: Path | None
    tlsmgr_service_name: str
    tlsmgr_session_cache_entry_limit: int
    tlsmgr_session_cache_size_limit: int
    tlsmgr_ticket_key_lease: int
    tlsmgr_ticket_key_source: TicketKeySource

    caches: Mapping[CacheType, CacheSettings]
    origins: Mapping[str, Place] = field(repr=False)
    warnings: tuple[str, ...] = ()


def load_settings(
    directory: Path,
    *,
    overrides: Sequence[tuple[str, str]] = (),
    process_name: str = "tlsmgr",
    service_name: str = "",
    process_id: int | None = None,
) -> Settings:
    """Read main.cf and tlsmgr.cf in ``directory``; the later wins, ``overrides`` over both.

    ``overrides`` are the (name, value) of ``-o`` options. The process's own ID is used
    unless ``process_id`` is given.

    Raises:
        ConfigurationError: main.cf is missing, a file is malformed, a value is malformed or
            out of range, or two caches have the same database.
    """
    values = process_values(process_name=process_name, service_name=service_name, process_id=process_id)
    return make_settings(load_configuration(directory, overrides=overrides, process_values=values))


def process_values(
    *, process_name: str, service_name: str = "", process_id: int | None = None
) -> Mapping[str, str]:
    """Return the values of the read-only parameters."""
    process_id = os.getpid() if process_id is None else process_id
    return {"process_id": str(process_id), "process_name": process_name, "service_name": service_name}


def make_settings(configuration: Configuration) -> Settings:
    """Expand, convert and check the value of every parameter.

    Raises:
        ConfigurationError: see ``load_settings``.
    """
    reader = ValueReader(configuration)
    values: dict[str, Any] = {name: reader.value(name) for name in PARAMETERS}
    queue_directory: Path = values["queue_directory"]
    if not queue_directory.is_absolute():
        raise reader.error("queue_directory", "expected an absolute path")
    for name, parameter in PARAMETERS.items():
        if parameter.kind is Kind.PATH and values[name] is not None:
            values[name] = queue_directory / values[name]
        elif parameter.kind is Kind.KEY_SOURCE:
            values[name] = values[name].below(queue_directory)
    # The files are where they were found, whatever a config_directory in main.cf says.
    values["config_directory"] = configuration.directory.absolute()
    caches = cache_settings(values, reader)
    if values["tlsmgr_ticket_key_source"].is_shared:
        _check_clock_skew(values["tlsmgr_clock_skew"], caches[CacheType.SMTPD].timeout, reader)
    if values["tlsmgr_farm_secret_file"] is None:
        _check_nothing_is_shared(caches, values["tlsmgr_ticket_key_source"], reader)
    return Settings(
        **values,
        caches=caches,
        origins=MappingProxyType({name: configuration.place(name) for name in PARAMETERS}),
        warnings=(*configuration.warnings, *reader.warnings(), *unknown_name_warnings(configuration)),
    )


def _check_clock_skew(skew: int, timeout: int, reader: ValueReader) -> None:
    if timeout and skew > timeout // 2 // 2:
        raise reader.error(
            "tlsmgr_clock_skew",
            f"expected a quarter of smtpd_tls_session_cache_timeout at most: {timeout // 2 // 2} s",
        )


def _check_nothing_is_shared(
    caches: Mapping[CacheType, CacheSettings], source: TicketKeySource, reader: ValueReader
) -> None:
    sharing = [
        database_name(cache_type)
        for cache_type, cache in caches.items()
        if cache.database is not None and cache.database.shared is not None
    ]
    if source.store is not None:
        sharing.append("tlsmgr_ticket_key_source")
    if sharing:
        raise reader.error(
            "tlsmgr_farm_secret_file",
            f"expected the file with the farm's secret, which seals what {sharing[0]} shares;"
            " tlsmgr farm new-secret makes one",
        )
