from pathlib import Path

import pytest

from tests.config.files import write_configuration
from tlsmgr.config.configuration import Configuration, load_configuration
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.config.report import report
from tlsmgr.config.settings import process_values
from tlsmgr.errors import ConfigurationError

MAIN_CF = """
base = /b
unused = $base
mail_owner =  a   b
data_directory = $base/d
process_name = x
smtpd_tls_session_cache_timeout = 10m
"""


def _load(directory: Path, main_cf: str = MAIN_CF, tlsmgr_cf: str | None = None) -> Configuration:
    write_configuration(directory, main_cf, tlsmgr_cf)
    return load_configuration(directory, process_values=process_values(process_name="tlsmgr", process_id=7))


def test_all_parameters_are_reported_in_alphabetical_order_unexpanded(tmp_path: Path) -> None:
    """With the names that main.cf defines and a parameter refers to, and no others."""
    lines = report(_load(tmp_path)).lines
    assert [line.split(" =")[0] for line in lines] == sorted([*PARAMETERS, "base"])
    assert "data_directory = $base/d" in lines
    assert "mail_owner = a b" in lines
    assert "smtpd_tls_session_cache_timeout = 10m" in lines
    assert "smtp_tls_session_cache_timeout = 3600s" in lines
    assert "smtp_tls_session_cache_database =" in lines
    assert "process_name = tlsmgr" in lines
    assert "process_id = 7" in lines
    assert f"config_directory = {tmp_path}" in lines


def test_defaults_are_those_of_the_table(tmp_path: Path) -> None:
    """-d looks at no file."""
    lines = report(_load(tmp_path), defaults=True).lines
    assert "tls_random_exchange_name = ${data_directory}/prng_exch" in lines
    assert "config_directory = /etc/postfix" in lines
    assert len(lines) == len(PARAMETERS)


def test_explicit_settings_are_reported_alone(tmp_path: Path) -> None:
    """-n: those of either file, but nothing that a file cannot set."""
    configuration = _load(tmp_path, tlsmgr_cf="tlsmgr_protocol_announcement = no")
    assert report(configuration, explicit_only=True).lines == (
        "base = /b",
        f"config_directory = {tmp_path}",
        "data_directory = $base/d",
        "mail_owner = a b",
        "smtpd_tls_session_cache_timeout = 10m",
        "tlsmgr_protocol_announcement = no",
    )


def test_values_are_expanded_on_request(tmp_path: Path) -> None:
    """-x; with -d from the defaults alone."""
    configuration = _load(tmp_path)
    name = "tls_random_exchange_name"
    assert report(configuration, [name], expanded=True).lines == (f"{name} = /b/d/prng_exch",)
    both = report(configuration, [name], expanded=True, defaults=True)
    assert both.lines == (f"{name} = /var/lib/postfix/prng_exch",)


def test_names_can_be_hidden(tmp_path: Path) -> None:
    """-h, for scripts."""
    names = ["data_directory", "smtp_tls_session_cache_database"]
    assert report(_load(tmp_path), names, hide_names=True).lines == ("$base/d", "")


def test_named_parameters_come_in_the_order_asked_for(tmp_path: Path) -> None:
    """As often as they were asked for; -n leaves out those that are not set."""
    names = ["mail_owner", "base", "daemon_timeout", "mail_owner"]
    configuration = _load(tmp_path)
    expected = ["mail_owner = a b", "base = /b", "daemon_timeout = 18000s", "mail_owner = a b"]
    assert list(report(configuration, names).lines) == expected
    del expected[2]
    assert list(report(configuration, names, explicit_only=True).lines) == expected


def test_an_unknown_name_is_a_warning(tmp_path: Path) -> None:
    """One that no parameter uses is unknown too, as with postconf."""
    result = report(_load(tmp_path), ["nosuch", "mail_owner", "unused"])
    assert result.lines == ("mail_owner = a b",)
    assert result.warnings == ("nosuch: unknown parameter", "unused: unknown parameter")


def test_a_value_that_cannot_be_expanded_is_an_error(tmp_path: Path) -> None:
    """Only where it is to be expanded: a broken file can be looked at."""
    configuration = _load(tmp_path, "mail_owner = ${")
    assert report(configuration, ["mail_owner"]).lines == ("mail_owner = ${",)
    with pytest.raises(ConfigurationError, match="no closing bracket"):
        report(configuration, ["mail_owner"], expanded=True)
