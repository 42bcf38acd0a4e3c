"""Which processes there are, and how much memory they hold (Linux's proc(5))."""

from collections.abc import Iterator
from pathlib import Path


def members(group: int) -> Iterator[tuple[str, int]]:
    """Give the name and the number of each process in a process group."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        name, _, rest = text.partition("(")[2].rpartition(")")
        if rest.split()[2] == str(group):
            yield name, int(path.parent.name)


def resident(process: int) -> int:
    """Return a process's resident memory in KiB, 0 for one that has ended but not been waited for."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
