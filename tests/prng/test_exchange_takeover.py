import asyncio
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.directories import traversable_directory
from rehearsal.waiting import wait_for
from tests.prng.exchange import OLD
from tests.prng.kept import keeper
from tests.system.attribute_vectors import attributes
from tests.system.conversation import converse
from tests.system.debian_tlsmgr import DebianTlsmgr
from tests.system.postfix_presence import require_postfix

pytestmark = pytest.mark.system

SEED = attributes(("request", "seed"), ("size", "32"))


@pytest.fixture
def debian() -> Iterator[DebianTlsmgr]:
    """Give Debian's tlsmgr, not yet started, that updates its exchange file again and again."""
    require_postfix()
    with traversable_directory() as directory:
        # Postfix's timers are whole seconds: most parts of one second are none.
        tlsmgr = DebianTlsmgr(directory, parameters={"tls_random_prng_update_period": "1s"})
        tlsmgr.prepare()
        yield tlsmgr


@contextmanager
def as_mail_owner() -> Iterator[None]:
    """Go on with the rights that the PRNG server has."""
    owner = pwd.getpwnam("postfix")
    os.setegid(owner.pw_gid)
    os.seteuid(owner.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def our_turn(path: Path) -> None:
    """Start, update the file, and end, as the PRNG server does: two updates."""

    async def turn() -> None:
        kept = keeper(path=path)
        await kept.do_what_is_due()
        await kept.close()
        assert kept.statistics().exchange_updates == 2

    with as_mail_owner():
        asyncio.run(turn())


def await_debian(debian: DebianTlsmgr, path: Path) -> bytes:
    """Return the contents that Debian's tlsmgr writes next."""
    former = path.read_bytes() if path.exists() else b""

    def changed() -> bytes | None:
        now = path.read_bytes() if path.exists() else b""
        return now if now != former else None

    return wait_for("update by Debian's tlsmgr", changed, seconds=10, evidence=debian.maillog_tail)


def test_debians_tlsmgr_takes_our_file_over_and_gives_it_back(debian: DebianTlsmgr) -> None:
    """The same file, whole, of the same owner and mode, at each handover; nobody complains."""
    path = debian.data_directory / "prng_exch"
    our_turn(path)
    ours, made = path.read_bytes(), path.stat()
    with debian:
        converse(debian.path, [SEED])
        theirs = await_debian(debian, path)
        log = debian.settled_maillog()
    our_turn(path)
    final = path.stat()
    assert len({ours, theirs, path.read_bytes()}) == 3
    assert (final.st_ino, final.st_uid, final.st_size) == (made.st_ino, made.st_uid, 1024)
    assert (final.st_uid, stat.S_IMODE(final.st_mode)) == (pwd.getpwnam("postfix").pw_uid, 0o600)
    assert not [line for line in log.splitlines() if "PRNG" in line or "fatal" in line]


def test_we_take_over_the_file_that_debians_tlsmgr_made_while_it_goes_on(debian: DebianTlsmgr) -> None:
    """Both have it open and update it in turn; neither has to start anew."""
    path = debian.data_directory / "prng_exch"
    with debian:
        converse(debian.path, [SEED])
        await_debian(debian, path)
        inode = path.stat().st_ino
        for _ in range(3):
            with as_mail_owner():
                asyncio.run(keeper(path=path).close())
            await_debian(debian, path)
        log = debian.settled_maillog()
    assert path.stat().st_ino == inode
    assert path.stat().st_size == len(OLD)
    assert not [line for line in log.splitlines() if "PRNG" in line or "fatal" in line]
