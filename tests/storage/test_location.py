import os
from pathlib import Path

import pytest

from tlsmgr.storage.location import Placement, place_database

US = os.geteuid()


def test_a_database_in_the_mail_owners_directory_stays(tmp_path: Path) -> None:
    """No warning, no change."""
    path = tmp_path / "smtpd_scache"
    placed = place_database(path, data_directory=Path("/data"), owner_uid=US, mail_owner="postfix")
    assert placed == Placement(path=path)


def test_a_database_in_another_ones_directory_is_redirected_with_two_warnings(tmp_path: Path) -> None:
    """The base name goes to the data directory, and the warnings name both."""
    placed = place_database(
        tmp_path / "smtpd_scache.diskcache",
        data_directory=Path("/var/lib/postfix"),
        owner_uid=US + 1,
        mail_owner="postfix",
        name=f"btree:{tmp_path}/smtpd_scache",
    )
    assert placed.path == Path("/var/lib/postfix/smtpd_scache.diskcache")
    assert placed.warnings == (
        f"request to update table btree:{tmp_path}/smtpd_scache in non-postfix directory {tmp_path}",
        "redirecting the request to postfix-owned data_directory /var/lib/postfix",
    )


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    """As Postfix says it of the exchange file."""
    path = tmp_path / "prng_exch"
    placed = place_database(
        path, data_directory=Path("/data"), owner_uid=US + 1, mail_owner="mail", kind="file"
    )
    assert placed.warnings[0] == f"request to update file {path} in non-mail directory {tmp_path}"


@pytest.mark.parametrize("parent", ["missing", "missing/deeper", "file/deeper"])
def test_a_directory_that_cannot_be_examined_is_left_to_the_opening(tmp_path: Path, parent: str) -> None:
    """A mistyped path is reported as such, not silently replaced."""
    (tmp_path / "file").touch()
    path = tmp_path / parent / "smtpd_scache"
    placed = place_database(path, data_directory=Path("/data"), owner_uid=US + 1, mail_owner="postfix")
    assert placed == Placement(path=path)


def test_the_owner_of_the_directory_behind_a_link_counts(tmp_path: Path) -> None:
    """As with stat(2) in Postfix."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    placed = place_database(link / "db", data_directory=Path("/data"), owner_uid=US, mail_owner="postfix")
    assert placed.path == link / "db"
