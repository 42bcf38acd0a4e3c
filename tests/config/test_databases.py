from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsmgr.config.databases import Database, parse_database, shared_directory
from tlsmgr.config.values import BadValueError
from tlsmgr.messages import CacheType

QUEUE = Path("/var/spool/postfix")
OWN = Path("/var/lib/postfix/smtpd_tls_session_cache.diskcache")


def _parse(text: str, default_type: str = "hash") -> Database:
    return parse_database(text, default_type=default_type, queue_directory=QUEUE, own_directory=OWN)


@pytest.mark.parametrize("kind", ["btree", "hash", "lmdb", "dbm", "sdbm", "cdb"])
def test_the_directory_of_a_foreign_type_stands_beside_postfixs_file(kind: str) -> None:
    """Postfix's own file is left alone, so that going back is possible."""
    assert _parse(f"{kind}:/var/lib/postfix/smtpd_scache") == Database(
        kind=kind, directory=Path("/var/lib/postfix/smtpd_scache.diskcache")
    )


def test_a_shared_store_stands_behind_a_directory_of_our_own() -> None:
    """Its URL follows the type."""
    database = _parse("redis:rediss://store.example:6380/2")
    assert (database.kind, database.directory) == ("redis", OWN)
    assert str(database.shared) == "rediss://store.example:6380/2"


@pytest.mark.parametrize("text", ["redis:", "redis:/x/y", "redis://store.example", "redis:redis://a:b@c"])
def test_a_shared_store_without_a_good_url_is_refused(text: str) -> None:
    """The message says where in the value it is."""
    with pytest.raises(BadValueError, match="after 'redis:': expected"):
        _parse(text)


@pytest.mark.parametrize(
    ("text", "directory"),
    [
        ("diskcache:/x/y", "/x/y"),
        ("diskcache:/x/y/", "/x/y"),
        ("diskcache:/x/../z/./y", "/z/y"),
        ("diskcache:y", "/var/spool/postfix/y"),
        ("diskcache:/a:b", "/a:b"),
        ("btree:y", "/var/spool/postfix/y.diskcache"),
        ("btree:/x/y/", "/x/y.diskcache"),
        ("/x/y", "/x/y.diskcache"),
        ("y", "/var/spool/postfix/y.diskcache"),
    ],
)
def test_a_path_becomes_an_absolute_directory(text: str, directory: str) -> None:
    """A relative path starts at the queue directory, where Postfix's daemons run."""
    assert _parse(text).directory == Path(directory)


def test_a_path_without_a_type_has_the_default_type() -> None:
    """default_database_type decides, as in Postfix."""
    assert _parse("/x", default_type="lmdb").kind == "lmdb"
    assert _parse("/x", default_type="diskcache").directory == Path("/x")
    with pytest.raises(BadValueError, match="expected diskcache:directory"):
        _parse("/x", default_type="pcre")


@pytest.mark.parametrize("text", ["proxy:btree:/x", "memcache:/x", "BTREE:/x", ":/x", "/x:y", " btree:/x"])
def test_any_other_type_is_an_error(text: str) -> None:
    """No session is put where nobody looks for it."""
    with pytest.raises(BadValueError, match="expected diskcache:directory, redis:URL, or one of btree, hash"):
        _parse(text)


@pytest.mark.parametrize("text", ["btree:", "diskcache:", "diskcache:/", ""])
def test_a_type_needs_a_path(text: str) -> None:
    """The file system's root is no cache directory."""
    with pytest.raises(BadValueError, match="expected a path after"):
        _parse(text)


def test_two_names_of_one_directory_are_found() -> None:
    """However the names are written, it is the directory that two caches must not share."""
    databases = {
        CacheType.SMTPD: _parse("btree:/x/a"),
        CacheType.SMTP: _parse("btree:/x/b"),
        CacheType.LMTP: _parse("diskcache:/x/c/../a.diskcache"),
    }
    assert shared_directory(databases) == (CacheType.SMTPD, CacheType.LMTP)
    del databases[CacheType.LMTP]
    assert shared_directory(databases) is None


@given(st.text() | st.text().map("diskcache:{}".format))
def test_any_text_is_a_database_or_a_bad_value_error(text: str) -> None:
    """No other exception, and every directory is absolute."""
    with suppress(BadValueError):
        assert _parse(text).directory.is_absolute()
