"""Which processes run, and what they hold, as /proc has it (Linux's proc(5))."""

from collections.abc import Iterator
from pathlib import Path

# Where /proc/PID/stat has them, after the ")" that ends the process's name.
_STATE, _GROUP, _SESSION = 0, 2, 3
_ZOMBIE = "Z"


def running_in_group(group: int) -> list[int]:
    """Return the processes of the group; one that only waits for its parent's wait() does not run."""
    return [pid for pid, _ in _running(_GROUP, group)]


def running_in_session(session: int) -> list[int]:
    """Return the processes of the session, whatever group they moved to; zombies are none."""
    return [pid for pid, _ in _running(_SESSION, session)]


def members(group: int) -> Iterator[tuple[str, int]]:
    """Give the name and the number of each process in a process group."""
    for pid, name in _running(_GROUP, group):
        yield name, pid


def resident(process: int) -> int:
    """Return a process's resident memory in KiB, 0 for one that has ended but not been waited for."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def descriptors(process: int) -> int:
    """Return how many files a process has open, sockets included."""
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def _running(field: int, wanted: int) -> Iterator[tuple[int, str]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        name, row = _stat(path)
        if row and row[field] == str(wanted) and row[_STATE] != _ZOMBIE:
            yield int(path.parent.name), name


def _stat(path: Path) -> tuple[str, list[str]]:
    """Return the name and the fields behind it, none for a process that ended meanwhile."""
    try:
        name, _, fields = path.read_text(errors="replace").partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return "", []
    return name, fields.split()
