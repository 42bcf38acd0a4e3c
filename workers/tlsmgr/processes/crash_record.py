"""What became of the processes before this one: after too many crashes in a row a worker rests.

supervisord gives up only on what ends within its ``startsecs``. One that crashes later than that, each
time anew, it would start for ever. So each worker leaves a note of its crash, and one that finds too
many notes ends at once, and again for as long as supervisord tries it: that comes to the state FATAL.

A crash is an end of the worker's own making: an error, or a signal such as SIGSEGV, which the process
notes itself. One that was killed (SIGKILL) or stopped in order leaves no note, however often.
"""

import faulthandler
import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tlsmgr.errors import ConfigurationError, GivenUpError, TlsmgrError

_log = logging.getLogger(__name__)

#: So many crashes within so long are too many.
CRASHES = 10
WITHIN_SECONDS = 600.0
#: For so long no start is let through then: longer than supervisord tries, with its startretries.
REST_SECONDS = 30.0
_SUFFIX = ".crashes"
_NEW_SUFFIX = ".crashes.new"
_SIZE_MAX = 65536
_REASON_MAX = 200
_START_FIELD = 19  # of /proc/PID/stat, counted from the one behind the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """When a process crashed (seconds since 1970), and why, in a line."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of the processes before.

    Attributes:
        crashes: The latest, at most ``CRASHES``.
        resting_since: When it was given up, unless a process has started since.
    """

    crashes: tuple[Crash, ...] = ()
    resting_since: float | None = None

    @classmethod
    def parse(cls, text: str, *, written_at: float, now: float, counts_from: float) -> Self:
        """Return what a record says; of what is no record, or of another time, nothing.

        Args:
            text: The record: lines with a word, a time and more; and behind the word "start" how that
                process crashed, if it did.
            written_at: When it was last written to.
            now: What is later was noted before the clock was set back, and does not count.
            counts_from: A process that crashed earlier than so many seconds after its start does
                not count: supervisord counts that itself.
        """
        crashes, resting_since, lines = list[Crash](), None, text.splitlines()
        for number, line in enumerate(lines):
            word, at, reason = _fields(line)
            if word == "crash":
                crashes.append(Crash(at=at, reason=reason))
            elif word == "resting":
                resting_since = at
            elif word == "start":
                resting_since = None
                last = _reason_of(lines[number + 1 :])
                if last and written_at - at >= counts_from:
                    crashes.append(Crash(at=written_at, reason=last))
                break
        if resting_since is not None and not resting_since <= now:
            resting_since = None
        # Of who was given up, the crashes that led to it are told for as long as nobody starts it.
        latest = now if resting_since is None else resting_since
        kept = [each for each in crashes if latest - WITHIN_SECONDS <= each.at <= latest]
        return cls(crashes=tuple(kept[-CRASHES:]), resting_since=resting_since)

    @property
    def is_too_much(self) -> bool:
        """Whether no further start is to be tried by itself."""
        return len(self.crashes) >= CRASHES

    def at_start(self, now: float) -> "Past":
        """Return what holds when the next process starts: it rests, or begins anew after a rest."""
        if self.resting_since is not None:
            return self if now - self.resting_since < REST_SECONDS else Past()
        return replace(self, resting_since=now) if self.is_too_much else self

    def text(self) -> str:
        """Return it as ``parse`` takes it."""
        lines = [f"crash {each.at:.3f} {each.reason}\n" for each in self.crashes]
        if self.resting_since is not None:
            lines.append(f"resting {self.resting_since:.3f}\n")
        return "".join(lines)


class CrashRecord:
    """One worker's record, open for as long as the worker lives: a context that notes how it ends.

    Args:
        path: Where it is, for messages.
        descriptor: Where to note a crash; None where that cannot be done.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def begin(cls, run_directory: Path, name: str, *, counts_from: float) -> Self:
        """Note that this process has started; the worker's pid file must be claimed.

        A record that cannot be read or written is only logged: what serves is worth more.

        Raises:
            GivenUpError: The processes before crashed too often.
        """
        path = run_directory / f"{name}{_SUFFIX}"
        now = time.time()
        past = _read(path, now=now, counts_from=counts_from).at_start(now)
        started = f"start {now - _age():.3f}\n" if past.resting_since is None else ""
        descriptor = _replace(path, past.text() + started)
        if past.resting_since is not None:
            if descriptor is not None:
                os.close(descriptor)
            raise GivenUpError(
                f"{name} {_summary(past)}; given up: mend that, and then: supervisorctl start tlsmgr:{name}"
                f" (within {REST_SECONDS:g} s of this, remove {path} before)"
            )
        if descriptor is not None:
            faulthandler.enable(descriptor, all_threads=False)
        return cls(path, descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        faulthandler.disable()
        if self._descriptor is None:
            return
        if error is not None and not isinstance(error, ConfigurationError):
            # Another error's own words may be about what a request held.
            reason = str(error) if isinstance(error, TlsmgrError) else type(error).__name__
            with suppress(OSError):  # a full disk: one crash is not counted
                os.write(self._descriptor, f"{_printable(reason)}\n".encode())
        os.close(self._descriptor)
        self._descriptor = None


def why_given_up(run_directory: Path, name: str) -> str:
    """Return why a worker is not started any more, or nothing: also when its record is not for us to read."""
    past = _read(run_directory / f"{name}{_SUFFIX}", now=time.time(), counts_from=0.0)
    return "" if past.resting_since is None else _summary(past)


def _summary(past: Past) -> str:
    reason = past.crashes[-1].reason if past.crashes else "unknown"
    return f"crashed {len(past.crashes)} times within {WITHIN_SECONDS:g} s, the last time by: {reason}"


def _fields(line: str) -> tuple[str, float, str]:
    word, _, rest = line.partition(" ")
    at, _, reason = rest.partition(" ")
    try:
        return word, float(at), _printable(reason)
    except ValueError:
        return "", 0.0, ""


def _reason_of(lines: list[str]) -> str:
    """Return a line for what a process wrote as it crashed; faulthandler's first frame is where."""
    written = [line.strip() for line in lines if line.strip()]
    where = [line for line in written if line.startswith("File ")]
    return _printable(", ".join([*written[:1], *where[:1]]))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:_REASON_MAX])


def _read(path: Path, *, now: float, counts_from: float) -> Past:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Past()
    try:
        text = os.read(descriptor, _SIZE_MAX).decode("utf-8", "replace")
        written_at = os.fstat(descriptor).st_mtime
    except OSError:
        return Past()
    finally:
        os.close(descriptor)
    return Past.parse(text, written_at=written_at, now=now, counts_from=counts_from)


def _replace(path: Path, text: str) -> int | None:
    """Have another content in the file, whole or not at all; return a descriptor that adds to it."""
    new = path.with_name(path.name.removesuffix(_SUFFIX) + _NEW_SUFFIX)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, flags, 0o600)
    except OSError as error:
        _log.warning("crashes are not counted: cannot make %s: %s", new, error.strerror)
        return None
    try:
        os.write(descriptor, text.encode())
        new.rename(path)
    except OSError as error:
        _log.warning("crashes are not counted: cannot write %s: %s", path, error.strerror)
        os.close(descriptor)
        return None
    return descriptor


def _age() -> float:
    """Return the seconds since this process was started."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started
