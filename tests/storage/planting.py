"""Rows that somebody else wrote into a store's table."""

import sqlite3
from typing import Any


def plant(connection: sqlite3.Connection, **columns: Any) -> None:  # noqa: ANN401 - any type is the point
    """Insert a row that is a good one but for ``columns``."""
    row = {
        "key": b"id",
        "raw": 1,
        "store_time": 100.0,
        "expire_time": 200.0,
        "access_time": 100.0,
        "mode": 1,
        "filename": None,
        "value": b"session",
    } | columns
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO Cache ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 - fixed names
