"""A small history of what the workers counted: one JSON object a line, in data_directory."""

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlsmgr.config.settings import Settings
from tlsmgr.errors import HostError, ServerUnavailableError
from tlsmgr.upkeep.job import call

_WORKERS = ("cache-server", "prng-server", "expiry-sweeper")
_NAME = "tlsmgr_history.jsonl"
#: Snapshots are this far apart at the least, and kept for so long, both in seconds.
INTERVAL_SECONDS = 300
KEPT_SECONDS = 8 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All figures at one time, by name, as in ``cache-server.caches.smtpd.hits``.

    ``time`` is in seconds since 1970. ``silent`` names the workers that did not answer.
    """

    time: int
    figures: Mapping[str, float]
    silent: Sequence[str] = ()


class History:
    """The snapshots in a file. It is for one process at a time.

    Args:
        data_directory: where the file is.
    """

    def __init__(self, data_directory: Path) -> None:
        self._path = data_directory / _NAME

    def load(self, since: int = 0) -> list[Snapshot]:
        """Return the snapshots from ``since`` on, the oldest first; lines that are none are left out.

        Raises:
            HostError: the file cannot be read.
        """
        try:
            with open(self._path, encoding="utf-8", errors="replace", opener=_open_itself) as stream:
                lines = stream.read().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise HostError(f"cannot read {self._path}: {error.strerror}; remove it to begin anew") from error
        return [snapshot for line in lines if (snapshot := _parsed(line)) and snapshot.time >= since]

    def add(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, unless there is one of the last minutes already.

        Raises:
            HostError: the file cannot be written.
        """
        kept = [each for each in self.load(snapshot.time - KEPT_SECONDS) if each.time <= snapshot.time]
        if kept and snapshot.time - kept[-1].time < INTERVAL_SECONDS:
            return
        replace_file(self._path, "".join(_line(each) for each in (*kept, snapshot)), mode=0o600)


def take_snapshot(settings: Settings, now: int) -> Snapshot:
    """Ask every worker what it counted.

    Raises:
        ProtocolError: One sends what makes no sense.
    """
    figures: dict[str, float] = {}
    silent = []
    for worker in _WORKERS:
        try:
            figures.update(_numbers(worker, call(settings, worker, "stats")))
        except ServerUnavailableError:
            silent.append(worker)
    return Snapshot(time=now, figures=figures, silent=silent)


def replace_file(path: Path, text: str, *, mode: int) -> None:
    """Put a file with this text in place of another, at once.

    Raises:
        HostError: it cannot be written; the former one is as it was.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                os.fchmod(descriptor, mode)
                stream.write(text)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise HostError(
            f"cannot write {path}: {error.strerror}; its directory must be $mail_owner's to write to"
        ) from error


def _open_itself(path: str, flags: int) -> int:
    """Open a plain file, and nothing that a symbolic link leads to; do not wait for the writer of a FIFO."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def _numbers(name: str, value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _numbers(f"{name}.{key}", below)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


def _line(snapshot: Snapshot) -> str:
    shown = {"time": snapshot.time, "figures": dict(snapshot.figures), "silent": list(snapshot.silent)}
    return json.dumps(shown, separators=(",", ":")) + "\n"


def _parsed(line: str) -> Snapshot | None:
    try:
        fields = json.loads(line)
        figures = {str(name): float(value) for name, value in fields["figures"].items()}
        return Snapshot(time=int(fields["time"]), figures=figures, silent=tuple(fields["silent"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
