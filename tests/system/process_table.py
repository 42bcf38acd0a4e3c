"""Which processes run, as /proc has it."""

from pathlib import Path

# Where /proc/PID/stat has them, after the ")" that ends the process's name.
_STATE, _GROUP, _SESSION = 0, 2, 3
_ZOMBIE = "Z"


def running_in_group(group: int) -> list[int]:
    """Return the processes of the group; one that only waits for its parent's wait() does not run."""
    return _running(_GROUP, group)


def running_in_session(session: int) -> list[int]:
    """Return the processes of the session, whatever group they moved to; zombies are none."""
    return _running(_SESSION, session)


def _running(field: int, wanted: int) -> list[int]:
    rows = {path.parent.name: _stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    return [
        int(pid) for pid, row in rows.items() if row and row[field] == str(wanted) and row[_STATE] != _ZOMBIE
    ]


def _stat(path: Path) -> list[str]:
    """Return the fields behind the name, none for a process that ended meanwhile."""
    try:
        return path.read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
