"""Whose the directories are that hold sessions and keys, and who may write there."""

import stat
from collections.abc import Collection
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import ConfigurationError
from tlsmgr.processes.stores import placements
from tlsmgr.transport.peer import user_ids

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_directories(settings: Settings) -> None:
    """Refuse a data directory, or a directory with a store in it, that others may write to.

    Who may write there could put other stores and files in the place of ours; the sticky bit keeps
    them from removing ours, not from making those that are not there yet. What is not there, or
    cannot be examined, is left to whoever opens it.

    Raises:
        ConfigurationError: One belongs to neither root nor ``$mail_owner``, or its mode lets its
            group or others write.
    """
    owners = user_ids(("root", settings.mail_owner))
    stores = {placement.path.parent for placement in placements(settings).values()}
    for directory in sorted({settings.data_directory, *stores}):
        _check(directory, owners, settings.mail_owner)


def _check(directory: Path, owners: Collection[int], mail_owner: str) -> None:
    try:
        found = directory.stat()
    except OSError:
        return
    if found.st_uid not in owners:
        raise ConfigurationError(
            f"directory {directory} belongs to user {found.st_uid}, who could put other session stores and"
            f" keys there; expected root or {mail_owner} (mail_owner): see chown(1)"
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS_MAY_WRITE:
        raise ConfigurationError(
            f"directory {directory} has mode {mode:04o}, so that others could put other session stores and"
            " keys there; run: chmod go-w on it"
        )
