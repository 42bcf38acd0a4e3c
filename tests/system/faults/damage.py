"""What is done to the files of a store."""

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

#: The name of the database in a store's directory.
DATABASE = "cache.db"


class Rogue:
    """When unpickled, makes a directory.

    Args:
        path: Which.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.path,)


def seeded() -> tuple[int, random.Random]:
    """Return a new seed, to be told when a test fails, and the generator that begins with it."""
    seed = random.SystemRandom().randrange(2**32)
    return seed, random.Random(seed)  # noqa: S311 - damage is no secret


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put other bytes into a file, in place."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def halve(path: Path) -> None:
    """Cut a file's second half off."""
    os.truncate(path, path.stat().st_size // 2)


def write(path: Path, data: bytes) -> None:
    """Write a whole file, which nobody else may read."""
    path.write_bytes(data)
    path.chmod(0o600)


def execute(directory: Path, statement: str) -> None:
    """Have a store's database do something."""
    with closing(sqlite3.connect(directory / DATABASE)) as connection:
        connection.execute(statement)
