from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.config.files import write_configuration
from tlsmgr.config.databases import Database
from tlsmgr.config.parameters import PARAMETERS
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.config.values import TlsLogLevel
from tlsmgr.errors import ConfigurationError, ExitCode
from tlsmgr.messages import CacheType


def _load(directory: Path, main_cf: str, tlsmgr_cf: str | None = None, **overrides: str) -> Settings:
    write_configuration(directory, main_cf, tlsmgr_cf)
    return load_settings(directory, overrides=tuple(overrides.items()))


def _complaint(directory: Path, main_cf: str, tlsmgr_cf: str | None = None, **overrides: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        _load(directory, main_cf, tlsmgr_cf, **overrides)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    return str(caught.value).replace(f"{directory}/", "")


def _warnings(settings: Settings, directory: Path) -> list[str]:
    return [text.replace(f"{directory}/", "") for text in settings.warnings]


def test_an_empty_main_cf_gives_the_defaults(tmp_path: Path) -> None:
    """Every parameter has a value of its type, and no cache is enabled."""
    settings = _load(tmp_path, "")
    assert settings.config_directory == tmp_path
    assert settings.data_directory == Path("/var/lib/postfix")
    assert settings.tls_random_exchange_name == Path("/var/lib/postfix/prng_exch")
    assert settings.tlsmgr_run_directory == Path("/var/lib/postfix/run")
    assert settings.daemon_timeout == 18000
    assert settings.syslog_name == "postfix"
    assert settings.tlsmgr_authorized_users == ("root", "postfix")
    assert settings.tlsmgr_protocol_announcement is True
    assert settings.smtpd_tls_loglevel == TlsLogLevel()
    assert set(settings.caches) == set(CacheType)
    assert all(cache.database is None for cache in settings.caches.values())
    assert settings.warnings == ()


def test_settings_have_exactly_the_parameters_of_the_table() -> None:
    """A new row of the table is a new attribute, and the other way round."""
    names = {entry.name for entry in fields(Settings)} - {"caches", "origins", "warnings"}
    assert names == set(PARAMETERS)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    """Neither the values nor the maps in them."""
    settings = _load(tmp_path, "")
    with pytest.raises(FrozenInstanceError):
        settings.mail_owner = "x"  # type: ignore[misc]  # the type checker knows it too
    assert not hasattr(settings.caches, "__setitem__")
    assert not hasattr(settings.origins, "__setitem__")


def test_a_missing_main_cf_is_a_configuration_error(tmp_path: Path) -> None:
    """The message names the file that was looked for."""
    with pytest.raises(ConfigurationError, match=rf"^{tmp_path}/main\.cf: not found"):
        load_settings(tmp_path)


def test_the_later_file_wins_and_the_command_line_wins_over_both(tmp_path: Path) -> None:
    """main.cf, then tlsmgr.cf, then -o; each value knows which of them it is from."""
    settings = _load(
        tmp_path,
        "mail_owner = a\nsyslog_name = b\ntls_random_bytes = 1\n",
        "\nsyslog_name = c\ntls_random_bytes = 2\n",
        tls_random_bytes="3",
    )
    assert (settings.mail_owner, settings.syslog_name, settings.tls_random_bytes) == ("a", "c", 3)
    assert {
        name: str(settings.origins[name]).removeprefix(f"{tmp_path}/")
        for name in ("mail_owner", "syslog_name", "tls_random_bytes", "daemon_timeout", "process_id")
    } == {
        "mail_owner": "main.cf:1",
        "syslog_name": "tlsmgr.cf:2",
        "tls_random_bytes": "-o",
        "daemon_timeout": "default",
        "process_id": "process",
    }
    assert settings.warnings == ()


def test_a_value_in_tlsmgr_cf_may_refer_to_main_cf_and_back(tmp_path: Path) -> None:
    """The files make one set of definitions; their order only decides between equal names."""
    settings = _load(tmp_path, "base = /b\nmail_owner = $own", "own = o\ndata_directory = $base/d")
    assert (settings.data_directory, settings.mail_owner) == (Path("/b/d"), "o")
    assert settings.tlsmgr_authorized_users == ("root", "o")
    assert settings.warnings == ()


def test_a_relative_path_starts_at_the_queue_directory(tmp_path: Path) -> None:
    """Postfix's daemons run there, so that is what a relative name means to them."""
    settings = _load(tmp_path, "queue_directory = /q\ndata_directory = d\ntls_random_exchange_name =")
    assert settings.data_directory == Path("/q/d")
    assert settings.tlsmgr_run_directory == Path("/q/d/run")
    assert settings.tls_random_exchange_name is None


def test_a_relative_queue_directory_is_an_error(tmp_path: Path) -> None:
    """There is nothing that it could be relative to."""
    text = _complaint(tmp_path, "queue_directory = q")
    assert text == "main.cf:1: queue_directory = 'q': expected an absolute path"


@pytest.mark.parametrize(
    ("main_cf", "expected"),
    [
        (
            "\ntls_random_bytes = 0",
            "main.cf:2: tls_random_bytes = '0': expected a value of 1 or more",
        ),
        (
            "size = many\ntls_random_bytes = $size",
            "main.cf:2: tls_random_bytes = '$size' (that is, 'many'): expected a number of 1 or more",
        ),
        (
            "smtp_tls_session_cache_timeout = 101d",
            "main.cf:1: smtp_tls_session_cache_timeout = '101d': expected a value from 0 to 8640000 seconds",
        ),
        (
            "a = $b\nb = $a\nmail_owner = $b",
            "main.cf:1: a = '$b' (which mail_owner uses): b refers to itself: b -> a -> b",
        ),
        (
            "mail_owner = ${x",
            "main.cf:1: mail_owner = '${x': no closing bracket for '{x'",
        ),
        (
            "smtp_tls_session_cache_database = sqlite:/x",
            (
                "main.cf:1: smtp_tls_session_cache_database = 'sqlite:/x': "
                "expected diskcache:directory, redis:URL, or one of btree, hash, lmdb, dbm, sdbm, cdb as type"
            ),
        ),
    ],
)
def test_an_error_names_file_line_parameter_value_and_what_was_expected(
    tmp_path: Path, main_cf: str, expected: str
) -> None:
    """An administrator needs nothing else to mend it."""
    assert _complaint(tmp_path, main_cf) == expected


def test_an_error_in_an_override_names_the_option(tmp_path: Path) -> None:
    """Its place is -o."""
    text = _complaint(tmp_path, "mail_owner = x", mail_owner="")
    assert text == "-o: mail_owner = '': expected a text that is not empty"


def test_an_error_in_tlsmgr_cf_names_it(tmp_path: Path) -> None:
    """The two files are told apart."""
    assert _complaint(tmp_path, "", "x").startswith("tlsmgr.cf:1: ")


def test_what_the_process_computes_cannot_be_set(tmp_path: Path) -> None:
    """As in Postfix, which warns about it; the values are there to refer to."""
    write_configuration(tmp_path, "process_name = x\nsyslog_name = $process_name-$process_id-$service_name")
    settings = load_settings(
        tmp_path, overrides=[("process_id", "1")], process_name="p", service_name="s", process_id=7
    )
    assert settings.syslog_name == "p-7-s"
    assert _warnings(settings, tmp_path) == [
        "main.cf:1: process_name is ignored: it is read-only",
        "-o: process_id is ignored: it is read-only",
    ]


def test_config_directory_is_where_the_files_are(tmp_path: Path) -> None:
    """What main.cf says of it is only the text that $config_directory stands for, as in Postfix."""
    settings = _load(tmp_path, "config_directory = /elsewhere\ndata_directory = $config_directory/d")
    assert settings.config_directory == tmp_path
    assert settings.data_directory == Path("/elsewhere/d")
    assert len(settings.warnings) == 1
    assert _load(tmp_path, "data_directory = $config_directory/d").data_directory == tmp_path / "d"


CACHE = "smtpd_tls_session_cache_database = btree:/x/smtpd\n"


@pytest.mark.parametrize(
    ("timeout", "sanitized"),
    [("0", 0), ("1", 120), ("119s", 120), ("2m", 120), ("121", 121), ("100d", 8640000)],
)
def test_a_session_timeout_is_none_or_at_least_120_seconds(
    tmp_path: Path, timeout: str, sanitized: int
) -> None:
    """A cache without a timeout is not enabled; a short timeout is raised."""
    cache = _load(tmp_path, f"{CACHE}smtpd_tls_session_cache_timeout = {timeout}").caches[CacheType.SMTPD]
    assert cache.timeout == sanitized
    assert (cache.database is not None) == (sanitized > 0)


def test_a_cache_has_its_own_parameters(tmp_path: Path) -> None:
    """One cache is enabled by its database, and logs by its level."""
    settings = _load(tmp_path, f"{CACHE}smtpd_tls_loglevel = 1, cache\nsmtp_tls_loglevel = 3")
    cache = settings.caches[CacheType.SMTPD]
    assert cache.database == Database(kind="btree", directory=Path("/x/smtpd.diskcache"))
    assert (cache.cache_type, cache.timeout) == (CacheType.SMTPD, 3600)
    assert (cache.loglevel, cache.logs_cache_events) == (1, True)
    assert settings.caches[CacheType.SMTP].database is None
    assert settings.caches[CacheType.SMTP].loglevel == 3


def test_the_same_database_for_two_caches_is_an_error_that_names_both(tmp_path: Path) -> None:
    """Their sessions would overwrite each other."""
    text = _complaint(tmp_path, f"{CACHE}lmtp_tls_session_cache_database = hash:/x/y/../smtpd")
    assert text == (
        "main.cf:2: lmtp_tls_session_cache_database = 'hash:/x/y/../smtpd': expected another database "
        "than smtpd_tls_session_cache_database has: both are /x/smtpd.diskcache"
    )


def test_a_cache_that_is_not_enabled_shares_nothing(tmp_path: Path) -> None:
    """Nor is its database's type looked at, as Postfix does not open it."""
    settings = _load(
        tmp_path,
        f"{CACHE}lmtp_tls_session_cache_database = btree:/x/smtpd\nlmtp_tls_session_cache_timeout = 0\n"
        "smtp_tls_session_cache_database = odd:/x\nsmtp_tls_session_cache_timeout = 0\n",
    )
    assert settings.caches[CacheType.LMTP].database is None


def test_a_log_level_that_postfix_does_not_know_logs_nothing_with_a_warning(tmp_path: Path) -> None:
    """Postfix serves on with such a level."""
    settings = _load(tmp_path, "smtp_tls_loglevel = loud")
    assert settings.smtp_tls_loglevel == TlsLogLevel()
    (warning,) = _warnings(settings, tmp_path)
    assert warning.startswith("main.cf:1: smtp_tls_loglevel = 'loud': expected 0 to 4")


@pytest.mark.parametrize(
    ("main_cf", "tlsmgr_cf", "expected"),
    [
        ("smtpd_banner = x\nfoo = y", None, []),
        (
            "tlsmgr_run_dir = /x",
            None,
            ["main.cf:1: unknown parameter 'tlsmgr_run_dir'; did you mean tlsmgr_run_directory?"],
        ),
        ("", "mail_ower = x", ["tlsmgr.cf:1: unknown parameter 'mail_ower'; did you mean mail_owner?"]),
        ("", "zzzzzz = x", ["tlsmgr.cf:1: unknown parameter 'zzzzzz'"]),
        ("", "base = x\nmail_owner = ${base?{$base}}", []),
        ("tlsmgr_base = x\nmail_owner = $tlsmgr_base", None, []),
        ("mail_owner = a\nmail_owner = b", None, ["main.cf:2: mail_owner overrides the value at main.cf:1"]),
        ("mail_owner = a\nmail_owner = a", None, []),
        ("foo = a\nfoo = b", None, []),
        (
            "mail_owner = x$mail_nam",
            None,
            ["main.cf:1: mail_owner refers to 'mail_nam', which is not defined: taken as empty"],
        ),
        ("mail_owner = ${nothing:x}", None, []),
        (
            "  mail_owner = x",
            None,
            ["main.cf:1: ignored, since it continues no definition: '  mail_owner = x'"],
        ),
    ],
)
def test_a_likely_slip_gives_a_warning_that_names_its_place(
    tmp_path: Path, main_cf: str, tlsmgr_cf: str | None, expected: list[str]
) -> None:
    """What Postfix may know is its own business; what we must know is told, with a suggestion."""
    assert _warnings(_load(tmp_path, main_cf, tlsmgr_cf), tmp_path) == expected


names = st.sampled_from([*PARAMETERS, "foo", "tlsmgr_x", "a b", ""])
values = st.text(alphabet=st.characters(codec="utf-8")) | st.sampled_from(
    ["$foo", "${foo?{$mail_owner}}", "10s", "btree:/x", "1", "$data_directory/x", "/x", "\n  x"]
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(names, values), max_size=5),
    overrides=st.lists(st.tuples(names, values), max_size=2),
)
def test_any_configuration_is_settings_or_a_configuration_error(
    tmp_path: Path, rows: list[tuple[str, str]], overrides: list[tuple[str, str]]
) -> None:
    """No other exception, whatever the files and the options say."""
    write_configuration(tmp_path, "".join(f"{name} = {value}\n" for name, value in rows))
    with suppress(ConfigurationError):
        assert set(load_settings(tmp_path, overrides=overrides).caches) == set(CacheType)


def test_ticket_keys_are_local_unless_a_source_is_named(tmp_path: Path) -> None:
    """A relative file starts at the queue directory, as any path does."""
    assert not _load(tmp_path, "").tlsmgr_ticket_key_source.is_shared
    settings = _load(
        tmp_path, "queue_directory = /queue\n", tlsmgr_ticket_key_source="ratchet:data/farm_secret"
    )
    assert settings.tlsmgr_ticket_key_source.file == Path("/queue/data/farm_secret")
    assert settings.tlsmgr_clock_skew == 30


@pytest.mark.parametrize("text", ["", "Local", "local:", "ratchet", "ratchet:", "ratchet:/", "memcache:x"])
def test_anything_else_is_no_source(tmp_path: Path, text: str) -> None:
    """The message says what there is."""
    complaint = _complaint(tmp_path, "", tlsmgr_ticket_key_source=text)
    assert "tlsmgr_ticket_key_source" in complaint
    assert "expected local, ratchet:file, or redis:URL" in complaint


def test_clocks_of_a_farm_differ_by_half_an_epoch_at_most(tmp_path: Path) -> None:
    """A host alone does not care, and without tickets nobody does."""
    main_cf = "smtpd_tls_session_cache_timeout = 200s\ntlsmgr_clock_skew = 51s\n"
    assert _load(tmp_path, main_cf).tlsmgr_clock_skew == 51
    complaint = _complaint(tmp_path, main_cf, tlsmgr_ticket_key_source="ratchet:/f")
    assert complaint.endswith("expected a quarter of smtpd_tls_session_cache_timeout at most: 50 s")
    shared = {"tlsmgr_ticket_key_source": "ratchet:/f"}
    _load(tmp_path, main_cf, tlsmgr_clock_skew="50s", **shared)
    _load(tmp_path, main_cf, smtpd_tls_session_cache_timeout="0", **shared)
