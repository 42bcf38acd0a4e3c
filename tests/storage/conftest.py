"""Stores and raw connections in a temporary directory."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from diskcache import Cache

from tlsmgr.storage.rawdisk import RawDisk
from tlsmgr.storage.sessions import SessionStore
from tlsmgr.storage.settings import DISKCACHE_SETTINGS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the store of a test is, or will be."""
    return tmp_path / "smtpd_scache.diskcache"


@pytest.fixture
def store(directory: Path) -> Iterator[SessionStore]:
    """An open store, as the process that saves has it."""
    with SessionStore(directory, checkpoints=True) as opened:
        yield opened


@pytest.fixture
def intruder(store: SessionStore, directory: Path) -> Iterator[sqlite3.Connection]:
    """A plain SQLite connection to the store's file, which can write whatever it likes."""
    del store
    with closing(sqlite3.connect(directory / "cache.db", isolation_level=None, timeout=0)) as connection:
        yield connection


@pytest.fixture
def plain(store: SessionStore, directory: Path) -> Iterator[Cache]:
    """The store as diskcache's own object, opened as anybody may who has diskcache."""
    del store
    with Cache(str(directory), disk=RawDisk, timeout=1, **DISKCACHE_SETTINGS) as cache:
        yield cache
