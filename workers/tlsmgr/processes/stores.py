"""Where each cache's sessions are on disk, as the configuration has it."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tlsmgr.config.parameters import database_name
from tlsmgr.config.settings import Settings
from tlsmgr.errors import ConfigurationError
from tlsmgr.messages import CacheType
from tlsmgr.storage.location import Placement, place_database
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.transport.peer import user_id

_log = logging.getLogger(__name__)


def store_directories(settings: Settings) -> Mapping[CacheType, Path]:
    """Return the directory of each cache that is enabled.

    A database in a directory that ``$mail_owner`` does not own is redirected to
    ``$data_directory``, with two warnings in the log, as Postfix does it.

    Raises:
        ConfigurationError: Two caches came to have one directory.
    """
    placed = placements(settings)
    for placement in placed.values():
        for warning in placement.warnings:
            _log.warning("%s", warning)
    return {cache_type: placement.path for cache_type, placement in placed.items()}


def store_in_jail(directory: Path, root: Path, *, checkpoints: bool) -> Callable[[], SessionStore] | None:
    """Return what opens a store from inside of the chroot jail ``root``; None if it is out of reach."""
    inside = path_in_jail(directory, root)
    return None if inside is None else partial(SessionStore, inside, checkpoints=checkpoints)


def path_in_jail(path: Path, root: Path) -> Path | None:
    """Return a path as it is from inside of the chroot jail ``root``; None if it is out of reach."""
    return Path("/") / path.relative_to(root) if path.is_relative_to(root) else None


def placements(settings: Settings) -> Mapping[CacheType, Placement]:
    """Return where each cache that is enabled is, with the warnings that this gives rise to.

    Raises:
        ConfigurationError: Two caches came to have one directory.
    """
    owner_uid = user_id(settings.mail_owner)
    placed: dict[CacheType, Placement] = {}
    for cache_type, cache in settings.caches.items():
        if cache.database is None:
            continue
        placement = place_database(
            cache.database.directory,
            data_directory=settings.data_directory,
            owner_uid=owner_uid,
            mail_owner=settings.mail_owner,
            name=getattr(settings, database_name(cache_type)),
        )
        for other, taken in placed.items():
            if taken.path == placement.path:
                raise ConfigurationError(
                    f"do not use the same TLS cache directory {taken.path} for {other.value} and"
                    f" {cache_type.value}"
                )
        placed[cache_type] = placement
    return placed
