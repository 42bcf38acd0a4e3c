"""Checks of directories, disks, databases and the clock."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tlsmgr.config.databases import FOREIGN_TYPES
from tlsmgr.doctor.findings import Finding, failed, ok, warning
from tlsmgr.doctor.surroundings import Surroundings
from tlsmgr.errors import ConfigurationError
from tlsmgr.processes.stores import placements
from tlsmgr.transport.peer import user_id

_ENOUGH_BYTES = 64 * 2**20
_ENOUGH_FILES = 1000
# Clocks of file servers differ a little.
_CLOCK_LEEWAY_SECONDS = 60
#: Suffixes that Postfix's database types give to the path in main.cf.
_FOREIGN_SUFFIXES = (".db", ".lmdb", ".dir", ".pag", ".cdb")


def users(host: Surroundings) -> Iterator[Finding]:
    """The users exist that parameters name."""
    for parameter, names in (
        ("mail_owner", (host.settings.mail_owner,)),
        ("tlsmgr_authorized_users", host.settings.tlsmgr_authorized_users),
    ):
        for user in names:
            try:
                user_id(user)
            except ConfigurationError as error:
                yield failed(f"users in {parameter}", str(error), f"name a user of this host in {parameter}")
                break
        else:
            yield ok(f"users in {parameter}", ", ".join(names))


def directories(host: Surroundings) -> Iterator[Finding]:
    """Each directory is there, belongs to mail_owner, and lets nobody else write."""
    settings = host.settings
    owner = settings.mail_owner
    yield _directory("data_directory", settings.data_directory, owner, others=stat.S_IWGRP | stat.S_IWOTH)
    yield _directory(
        "tlsmgr_run_directory", settings.tlsmgr_run_directory, owner, others=stat.S_IWGRP | stat.S_IWOTH
    )
    yield _directory(
        "socket directory", settings.queue_directory / "private", owner, others=stat.S_IWGRP | stat.S_IWOTH
    )


def stores(host: Surroundings) -> Iterator[Finding]:
    """Each cache has a directory of its own, for nobody else, where the configuration has it."""
    try:
        placed = placements(host.settings)
    except ConfigurationError as error:
        yield failed("session stores", str(error), "name another database for one of them in main.cf")
        return
    for cache_type, placement in placed.items():
        name = f"store of {cache_type.value}"
        for text in placement.warnings[:1]:
            advice = (
                f"name a database below {host.settings.data_directory}; {placement.path} is used meanwhile"
            )
            yield warning(name, text, advice)
        if placement.path.exists():
            yield _directory(
                name, placement.path, host.settings.mail_owner, others=stat.S_IRWXG | stat.S_IRWXO
            )
        for aside in sorted(placement.path.parent.glob(f"{placement.path.name}.damaged-*")):
            yield warning(
                name, f"{aside} was set aside as damaged", "remove it when the log has told you the reason"
            )


def leftovers(host: Surroundings) -> Iterator[Finding]:
    """No database of Postfix's own tlsmgr lies about, with sessions that nothing seals."""
    for cache_type, cache in host.settings.caches.items():
        if cache.database is None or cache.database.kind not in FOREIGN_TYPES:
            continue
        path = cache.database.directory.with_suffix("")
        name = f"former database of {cache_type.value}"
        found = [each for suffix in _FOREIGN_SUFFIXES if (each := Path(f"{path}{suffix}")).exists()]
        if found:
            text = f"{found[0]} has sessions of Postfix's own tlsmgr, which nothing here reads"
            yield warning(name, text, "remove it: Postfix's tlsmgr makes a new one if you go back")
        else:
            yield ok(name, f"nothing is left of {cache.database.kind}:{path}")


def disks(host: Surroundings) -> Iterator[Finding]:
    """There is room where sessions and keys are kept."""
    places = {host.settings.data_directory, *(path.parent for path in _store_paths(host))}
    for path in sorted(places):
        name = f"space in {path}"
        try:
            left = host.space(path)
        except OSError as error:
            yield failed(name, f"cannot be examined: {error.strerror}", "make the directory, as mail_owner's")
            continue
        if left.size < _ENOUGH_BYTES:
            yield failed(name, f"{left.size // 2**20} MiB are left", "free some space, or lower the limits")
        elif left.files < _ENOUGH_FILES:
            yield failed(name, f"only {left.files} more files can be made", "remove some files")
        else:
            yield ok(name, f"{left.size // 2**20} MiB are left")


def clock(host: Surroundings) -> Iterator[Finding]:
    """The clock was not set back: sessions and ticket keys live by it."""
    settings = host.settings
    files = [settings.data_directory / "tlsmgr_ticket_keys", settings.config_directory / "main.cf"]
    files += [path / "cache.db" for path in _store_paths(host)]
    for path in files:
        try:
            ahead = path.stat().st_mtime - host.now
        except OSError:
            continue
        if ahead > _CLOCK_LEEWAY_SECONDS:
            text = f"{path} was written {int(ahead)} s in the future"
            yield failed("clock", text, "was the clock set back? see that it is right, then touch the file")
            return
    yield ok("clock", "no file is from the future")


def _store_paths(host: Surroundings) -> list[Path]:
    try:
        return [placement.path for placement in placements(host.settings).values()]
    except ConfigurationError:
        return []


def _directory(name: str, path: Path, owner: str, *, others: int) -> Finding:
    try:
        found = path.lstat()
        uid = user_id(owner)
    except OSError as error:
        return failed(name, f"{path}: {error.strerror}", f"make it, as {owner}'s; or look as root")
    except ConfigurationError as error:
        return failed(name, str(error), "name a user of this host in mail_owner")
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode):
        return failed(name, f"{path} is no directory", "move it away, and restart the workers")
    if found.st_uid != uid:
        return failed(name, f"{path} belongs to {_user(found)}", f"chown {owner} {path}")
    if mode & others:
        return failed(name, f"{path} has mode {mode:04o}", f"chmod {mode & ~others:04o} {path}")
    return ok(name, f"{path} belongs to {owner}, with mode {mode:04o}")


def _user(found: os.stat_result) -> str:
    return f"user {found.st_uid}"
