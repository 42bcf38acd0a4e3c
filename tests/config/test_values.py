from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.config.values import BadValueError, NetworkAddress, TlsLogLevel, Value, convert

TIMEOUT = "smtpd_tls_session_cache_timeout"
METRICS = "tlsmgr_metrics_address"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        (TIMEOUT, "0", 0),
        (TIMEOUT, "10", 10),
        (TIMEOUT, "3600s", 3600),
        (TIMEOUT, "2m", 120),
        (TIMEOUT, "3h", 10800),
        (TIMEOUT, "1d", 86400),
        (TIMEOUT, "2w", 1209600),
        (TIMEOUT, " +7s", 7),
        (TIMEOUT, "8640000", 8640000),
        ("daemon_timeout", "2147483647", 2**31 - 1),
        ("tls_random_bytes", "255", 255),
        ("tls_random_bytes", "+032", 32),
        ("tlsmgr_session_cache_size_limit", "9223372036854775807", 2**63 - 1),
        ("tlsmgr_session_cache_entry_limit", "0", 0),
        ("tlsmgr_protocol_announcement", "yes", True),
        ("tlsmgr_protocol_announcement", "No", False),
        ("tlsmgr_authorized_users", "root, postfix", ("root", "postfix")),
        ("tlsmgr_authorized_users", "a,b c\td,", ("a", "b", "c", "d")),
        ("tlsmgr_authorized_users", "", ()),
        ("tls_random_exchange_name", "", None),
        ("tls_random_exchange_name", "/x/y", Path("/x/y")),
        ("data_directory", "x", Path("x")),
        ("syslog_facility", "local7", "local7"),
        ("tls_random_source", "", ""),
        (METRICS, "", None),
        (METRICS, ":9199", NetworkAddress(host="127.0.0.1", port=9199)),
        (METRICS, "192.0.2.1:65535", NetworkAddress(host="192.0.2.1", port=65535)),
        (METRICS, "[::1]:1", NetworkAddress(host="::1", port=1)),
    ],
)
def test_a_value_has_the_type_of_its_parameter(name: str, text: str, value: Value) -> None:
    """Times become seconds, yes and no become bool, paths Path, lists tuples."""
    converted = convert(PARAMETERS[name], text)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (TIMEOUT, "", "expected a time from 0 to 8640000 seconds: a number, then s, m, h, d or w"),
        (TIMEOUT, "-1", "expected a time"),
        (TIMEOUT, "s", "expected a time"),
        (TIMEOUT, "1y", "expected a time"),
        (TIMEOUT, "1 s", "expected a time"),
        (TIMEOUT, "1ss", "expected a time"),
        (TIMEOUT, "1.5h", "expected a time"),
        (TIMEOUT, "\u0663s", "expected a time"),
        (TIMEOUT, "8640001", "expected a value from 0 to 8640000 seconds"),
        (TIMEOUT, "15w", "expected a value from 0 to 8640000 seconds"),
        ("daemon_timeout", "0", "expected a value of 1 seconds or more"),
        ("daemon_timeout", "4000w", "expected a value"),
        ("tls_random_bytes", "0", "expected a value of 1 or more"),
        ("tls_random_bytes", "-1", "expected a value of 1 or more"),
        ("tls_random_bytes", "2147483648", "expected a value of 1 or more"),
        ("tls_random_bytes", "9" * 10_000, "expected a value of 1 or more"),
        ("tls_random_bytes", "32k", "expected a number of 1 or more"),
        ("tls_random_bytes", "0x20", "expected a number of 1 or more"),
        ("tls_random_bytes", "", "expected a number of 1 or more"),
        ("tlsmgr_request_size_limit", "1023", "expected a value of 1024 or more"),
        ("tlsmgr_protocol_announcement", "true", "expected yes or no"),
        ("mail_owner", "", "expected a text that is not empty"),
        ("data_directory", "", "expected a text that is not empty"),
        ("syslog_facility", "LOCAL0", "expected one of auth, "),
        *(
            (METRICS, text, "expected :port, address:port or [address]:port")
            for text in ("9199", ":0", ":65536", ":", "::1:9199", "[::1]", "127.0.0.1", "[]:1", ":9199 ")
        ),
        *(
            (METRICS, text, "expected an IP address in numbers")
            for text in ("localhost:9199", "[localhost]:9199", "127.1:1", "*:9199")
        ),
    ],
)
def test_a_bad_value_is_an_error_that_says_what_was_expected(name: str, text: str, expected: str) -> None:
    """Syntax and range are both in the message."""
    with pytest.raises(BadValueError) as caught:
        convert(PARAMETERS[name], text)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("text", "level", "logs_cache_events"),
    [
        ("", 0, False),
        ("0", 0, False),
        ("none", 0, False),
        ("1", 1, False),
        ("routine", 1, False),
        ("2", 2, True),
        ("Debug", 2, True),
        ("3", 3, True),
        ("ssl-expert", 3, True),
        ("4", 4, True),
        ("ssl-developer", 4, True),
        ("9", 4, True),
        ("cache", 0, True),
        ("summary,untrusted, peercert certmatch", 0, False),
        ("verbose ssl-debug ssl-handshake-packet-dump,ssl-session-packet-dump", 0, False),
        ("1, cache", 1, True),
        ("none debug", 2, True),
    ],
)
def test_a_log_level_is_a_digit_or_names(text: str, level: int, *, logs_cache_events: bool) -> None:
    """As with Postfix, and either kind may ask for the use of the cache to be logged."""
    expected = TlsLogLevel(level=level, logs_cache_events=logs_cache_events)
    assert convert(PARAMETERS["smtp_tls_loglevel"], text) == expected


@pytest.mark.parametrize("text", ["10", "-1", "loud", "1 loud", "cach"])
def test_a_log_level_that_postfix_does_not_know_is_an_error(text: str) -> None:
    """One unknown word spoils the whole, as with Postfix."""
    with pytest.raises(BadValueError, match="expected 0 to 4, or names of"):
        convert(PARAMETERS["smtp_tls_loglevel"], text)


@given(st.sampled_from(sorted(PARAMETERS)), st.text())
def test_any_text_is_a_value_or_a_bad_value_error(name: str, text: str) -> None:
    """No other exception for any kind of parameter."""
    with suppress(BadValueError):
        convert(PARAMETERS[name], text)
