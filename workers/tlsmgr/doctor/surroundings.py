"""What the checks look at, gathered once."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tlsmgr.config.configuration import Configuration
from tlsmgr.config.settings import Settings
from tlsmgr.doctor.findings import Finding
from tlsmgr.doctor.supervision import NOBODY_ASKED, Supervision
from tlsmgr.errors import HostError
from tlsmgr.hookup.postconf import Postconf


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What a file system has left for who is not root, in bytes and in files."""

    size: int
    files: int


def space_at(path: Path) -> Space:
    """Return what is left where ``path`` is.

    Raises:
        OSError: It is not there, or cannot be examined.
    """
    found = os.statvfs(path)
    # A file system without a fixed number of files says 0 of 0.
    files = found.f_favail if found.f_files else 2**31
    return Space(size=found.f_bavail * found.f_frsize, files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A configuration and what answers under it.

    Attributes:
        settings: The parameters.
        configuration: The text that they come from.
        postconf: Postfix's own view; None where no Postfix uses this configuration.
        stats: What each worker that answers said to ``stats``.
        silent: Of each worker that does not answer, why.
        now: The time of day in seconds since 1970.
        space: Looks for room on a disk.
        supervision: What supervisord says.
    """

    settings: Settings
    configuration: Configuration
    postconf: Postconf | None
    stats: Mapping[str, Mapping[str, Any]]
    silent: Mapping[str, str]
    now: float
    space: Callable[[Path], Space] = space_at
    supervision: Supervision = NOBODY_ASKED


Check: TypeAlias = Callable[[Surroundings], Iterable[Finding]]


def postfix_of(directory: Path) -> Postconf | None:
    """Return the Postfix that uses the configuration in ``directory``, if there is one."""
    if not (directory / "master.cf").exists():
        return None
    try:
        return Postconf(directory)
    except HostError:
        return None
