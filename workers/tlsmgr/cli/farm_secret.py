"""``tlsmgr farm new-secret``, ``export`` and ``import``: the secret that all hosts of a farm have."""

import argparse
import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tlsmgr.cli.options import settings_of
from tlsmgr.config.settings import Settings
from tlsmgr.errors import AccessDeniedError, ConfigurationError, ExitCode, HostError
from tlsmgr.farm.epochs import EpochRules
from tlsmgr.farm.secret import TEXT_SIZE_MAX, FarmSecret, NoFarmSecretError
from tlsmgr.farm.secret_file import SecretFile, can_be_replaced_by, read_farm_secret
from tlsmgr.messages import CacheType
from tlsmgr.private_file import write_whole
from tlsmgr.transport.peer import user_id

_SOURCE: Final = "tlsmgr_ticket_key_source"
_STATIC: Final = "tlsmgr_farm_secret_file"
_STANDARD: Final = "-"
_NEW_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A file that the configuration names: by which parameter, and whose it is to be."""

    path: Path
    parameter: str
    owner: int
    seals_store: bool


def new_secret(options: argparse.Namespace) -> ExitCode:
    """Make a secret for a new farm, or another one for a farm that has one."""
    rules = _rules(settings_of(options))
    now = int(time.time())
    # Where a clock is behind, the epoch before the present one may not be over yet.
    epoch = rules.epoch_at(now) + 1 if options.next_epoch else rules.oldest_accepted(now)
    secret = FarmSecret.make(os.urandom, epoch_seconds=rules.epoch_seconds, epoch=epoch)
    _put_out(secret, options.words)
    return ExitCode.OK


def export(options: argparse.Namespace) -> ExitCode:
    """Give out the secret as it is now: with what a host that joins needs, and nothing from before."""
    settings = settings_of(options)
    place = next(_places(settings))
    owners = {0, os.geteuid(), user_id(settings.mail_owner)}
    secret = read_farm_secret(place.path, parameter=place.parameter, owners=owners)
    _put_out(_present(secret, _rules(settings)), options.words)
    return ExitCode.OK


def take_over(options: argparse.Namespace) -> ExitCode:
    """Put a secret in the place of the one that the configuration names, if there is one."""
    settings = settings_of(options)
    places, rules = list(_places(settings)), _rules(settings)
    secret = _taken_in(options.words, settings)
    theirs = secret.ratchet.epoch_seconds
    if theirs != rules.epoch_seconds:
        raise ConfigurationError(
            f"the secret is for smtpd_tls_session_cache_timeout = {2 * theirs}s, and here that is"
            f" {2 * rules.epoch_seconds}s: all hosts of a farm have the same; nothing was changed"
        )
    secret = _present(secret, rules)
    for place in places:
        SecretFile(place.path, parameter=place.parameter, owner=place.owner).replace(secret)
        sys.stdout.write(f"{place.path} has the farm's secret {secret.fingerprint}: {_when(place)}\n")
        _warn_of_directory(place, settings)
    wait = rules.begins_at(secret.ratchet.epoch) - int(time.time())
    if wait > 0:
        sys.stdout.write(f"it begins in {wait} s; if that is not intended, see that the clock is right\n")
    return ExitCode.OK


def _when(place: _Place) -> str:
    if place.parameter == _STATIC:
        return "restart cache-server to use it"
    text = "a cache server that runs takes ticket keys from it within a second"
    return f"{text}; restart it, so that it seals with it what goes to a store" if place.seals_store else text


def _warn_of_directory(place: _Place, settings: Settings) -> None:
    if place.parameter == _SOURCE and not can_be_replaced_by(place.path, place.owner):
        sys.stderr.write(
            f"tlsmgr: {place.path.parent} is not {settings.mail_owner}'s alone: the cache server cannot"
            " replace the file, and keys of former epochs stay in it; have it in"
            f" {settings.data_directory}\n"
        )


def _rules(settings: Settings) -> EpochRules:
    timeout = settings.caches[CacheType.SMTPD].timeout
    if timeout == 0:
        raise ConfigurationError(
            "there are no tickets to share keys for: smtpd_tls_session_cache_timeout is 0"
        )
    return EpochRules.for_timeout(timeout, min(settings.tlsmgr_clock_skew, timeout // 2 // 2))


def _places(settings: Settings) -> Iterator[_Place]:
    """Yield the files that the configuration names, each once, that of the ratchet first."""
    ratchet, static = settings.tlsmgr_ticket_key_source.file, settings.tlsmgr_farm_secret_file
    if ratchet is None and static is None:
        raise ConfigurationError(f"no place for a secret: expected {_SOURCE} = ratchet:file, or {_STATIC}")
    if ratchet is not None:
        owner = user_id(settings.mail_owner) if os.geteuid() == 0 else os.geteuid()
        yield _Place(path=ratchet, parameter=_SOURCE, owner=owner, seals_store=static == ratchet)
    if static is not None and static != ratchet:
        yield _Place(path=static, parameter=_STATIC, owner=_present_owner(static), seals_store=True)


def _present_owner(path: Path) -> int:
    try:
        return path.lstat().st_uid
    except OSError:
        return os.geteuid()


def _present(secret: FarmSecret, rules: EpochRules) -> FarmSecret:
    """Return the secret without what nobody needs any more."""
    if secret.ratchet.epoch_seconds != rules.epoch_seconds:
        return secret
    return secret.at(secret.ratchet.advanced(rules.oldest_accepted(int(time.time()))))


def _taken_in(words: list[str], settings: Settings) -> FarmSecret:
    if words and words[0] != _STANDARD:
        owners = {0, os.geteuid(), user_id(settings.mail_owner)}
        return read_farm_secret(Path(words[0]).absolute(), parameter="tlsmgr farm import", owners=owners)
    try:
        return FarmSecret.from_text(sys.stdin.read(TEXT_SIZE_MAX + 1))
    except NoFarmSecretError as error:
        raise ConfigurationError(f"standard input holds no secret of a farm: {error}") from error


def _put_out(secret: FarmSecret, words: list[str]) -> None:
    """Write a secret to a new file for its owner alone, or to standard output if that is as private."""
    if words and words[0] != _STANDARD:
        _write_new(Path(words[0]), secret.to_text().encode())
        return
    found = os.fstat(sys.stdout.fileno())
    is_private_file = stat.S_ISREG(found.st_mode) and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if not (is_private_file or stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode)):
        raise AccessDeniedError(
            "a secret goes to a pipe, or to a file of mode 0600, and never to a terminal: name a new file,"
            " as in tlsmgr farm export FILE"
        )
    sys.stdout.write(secret.to_text())


def _write_new(path: Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, _NEW_FLAGS, 0o600)
    except FileExistsError as error:
        raise HostError(f"{path} is there already: name a new file") from error
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}") from error
    try:
        os.fchmod(descriptor, 0o600)
        write_whole(descriptor, content)
        os.fsync(descriptor)
    except OSError as error:
        path.unlink(missing_ok=True)  # a part of it would be taken for a secret until somebody needs one
        raise HostError(f"cannot write {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
