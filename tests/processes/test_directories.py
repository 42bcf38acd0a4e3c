"""The directories with sessions and keys in them: nobody else may write there."""

import os
from pathlib import Path

import pytest

from tests.sealing.test_custody import settings_in
from tlsmgr.config.settings import Settings
from tlsmgr.errors import ConfigurationError
from tlsmgr.processes.directories import check_directories


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give a configuration with a data directory, and with a store in another."""
    for name in ("data", "stores"):
        (tmp_path / name).mkdir(mode=0o755)
    return settings_in(
        tmp_path,
        data_directory=str(tmp_path / "data"),
        smtp_tls_session_cache_database=f"diskcache:{tmp_path}/stores/smtp",
    )


def test_directories_that_others_may_read_are_taken(settings: Settings) -> None:
    """What is in them is sealed, or for its owner alone; their parents are not looked at."""
    check_directories(settings)


@pytest.mark.parametrize("name", ["data", "stores"])
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_directory_that_others_may_write_to_is_an_error(
    settings: Settings, tmp_path: Path, name: str, mode: int
) -> None:
    """The sticky bit is no help: what is not there yet can be made."""
    (tmp_path / name).chmod(mode)
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/{name} has mode {mode:04o}"):
        check_directories(settings)


def test_a_data_directory_of_somebody_else_is_an_error(settings: Settings, tmp_path: Path) -> None:
    """Of whoever is neither root nor mail_owner."""
    try:
        (tmp_path / "data").chmod(0o755)
        os.chown(tmp_path / "data", 4711, -1)
    except PermissionError:
        pytest.skip("only root can give a directory away")
    with pytest.raises(ConfigurationError, match="belongs to user 4711"):
        check_directories(settings)


def test_a_directory_that_is_not_there_is_left_to_who_opens_it(settings: Settings, tmp_path: Path) -> None:
    """It says why it cannot."""
    for name in ("data", "stores"):
        (tmp_path / name).rmdir()
    check_directories(settings)
