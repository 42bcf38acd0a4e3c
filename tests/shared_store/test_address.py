import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.shared_store.address import (
    AddressError,
    Credentials,
    Layout,
    TlsFiles,
    parse_address,
    parse_credentials,
)


def test_a_host_has_a_port_and_a_database() -> None:
    """What is left out has redis-py's defaults."""
    given_all = parse_address("redis://store.example:6380/3")
    assert (given_all.layout, given_all.hosts, given_all.database) == (
        Layout.SINGLE,
        (("store.example", 6380),),
        3,
    )
    least = parse_address("redis://store.example")
    assert (least.hosts, least.database, least.tls) == ((("store.example", 6379),), 0, None)
    assert parse_address("redis://store.example?db=4").database == 4
    assert parse_address("redis://[2001:db8::1]:7000/1").hosts == (("2001:db8::1", 7000),)


def test_a_socket_has_a_path() -> None:
    """The path is absolute; a database is an option."""
    address = parse_address("unix:///run/redis/my%20redis.sock?db=2")
    assert (address.path, address.database, address.hosts) == (Path("/run/redis/my redis.sock"), 2, ())


def test_sentinels_have_a_service() -> None:
    """Sentinels have a port of their own, and a service behind them."""
    address = parse_address("redis+sentinel://a,b:5000/mail/2?sentinel_login=yes")
    assert (address.layout, address.hosts) == (Layout.SENTINEL, (("a", 26379), ("b", 5000)))
    assert (address.service, address.database, address.sentinel_login) == ("mail", 2, True)


def test_a_cluster_has_hosts() -> None:
    """Some of a cluster's servers are enough."""
    address = parse_address("rediss+cluster://a:7000,b:7001")
    assert (address.layout, address.hosts, address.tls) == (
        Layout.CLUSTER,
        (("a", 7000), ("b", 7001)),
        TlsFiles(),
    )


def test_tls_has_files() -> None:
    """The names are redis-py's."""
    address = parse_address(
        "rediss://a?ssl_ca_certs=/etc/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_check_hostname=no"
    )
    assert address.tls == TlsFiles(
        ca_file=Path("/etc/ca.pem"), certificate=Path("/c.pem"), key=Path("/k.pem"), checks_name=False
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "begins with one of"),
        ("store.example", "begins with one of"),
        ("http://store.example", "begins with one of"),
        ("redis://", "expected HOST"),
        ("redis://a,b", "expected one host"),
        ("redis://a:port", "expected a port"),
        ("redis://a:0", "expected a port"),
        ("redis://a:65536", "expected a port"),
        ("redis://a/x", "number of a database"),
        ("redis://[::1", "expected"),
        ("redis://a?timeout=5", "'timeout' is not known"),
        ("redis://a?ssl_ca_certs=/x", "'ssl_ca_certs' is not known"),
        ("redis://a#1", "without #"),
        ("unix:///a%00", "control characters"),
        ("redis://a?db=1&db=2", "each option once"),
        ("unix://run/redis.sock", "absolute path"),
        ("unix:///", "absolute path"),
        ("redis+sentinel://a", "name of the service"),
        ("redis+cluster://a/1", "no database"),
        ("rediss://a?ssl_ca_certs=ca.pem", "absolute paths"),
        ("rediss://a?ssl_keyfile=/k.pem", "ssl_certfile with it"),
        ("rediss://a?ssl_check_hostname=maybe", "yes or no"),
    ],
)
def test_what_names_no_store_is_told_apart(text: str, expected: str) -> None:
    """Each mistake has a message that says what was expected."""
    with pytest.raises(AddressError, match=expected):
        parse_address(text)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    """Everybody may read main.cf, and the log."""
    with pytest.raises(AddressError, match="tlsmgr_redis_credentials_file") as caught:
        parse_address("redis://mail:hunter2@store.example")
    assert "hunter2" not in str(caught.value)


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    """No text brings another exception."""
    for scheme in ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster"):
        try:
            address = parse_address(f"{scheme}://{text}")
        except AddressError:
            continue
        assert str(address) == f"{scheme}://{text}"


@pytest.mark.parametrize(
    ("content", "user", "password"),
    [
        (b"secret\n", "", "secret"),
        (b"mail:secret\r\n", "mail", "secret"),
        (b":secret", "", "secret"),
        (b"mail:a:b", "mail", "a:b"),
    ],
)
def test_credentials_are_one_line(content: bytes, user: str, password: str) -> None:
    """What stands before the first colon is the user."""
    credentials = parse_credentials(content)
    assert credentials == Credentials(user=user, password=password)
    assert "secret" not in repr(credentials)


@pytest.mark.parametrize("content", [b"", b"\n", b"mail:", b"a\nb\n", b"\xff\xfe", b"a\0b"])
def test_what_is_no_line_is_no_credentials(content: bytes) -> None:
    """Neither nothing, nor several lines, nor bytes that are no text."""
    assert parse_credentials(content) is None
