"""Sessions whose time is over: swept and logged, and never given out before that."""

import os
import time

from rehearsal.sandbox import Sandbox
from tests.service.stores import SECRET, locked, session_sealer
from tlsmgr.errors import ExitCode
from tlsmgr.messages import CacheType
from tlsmgr.storage.sessions import Put, SessionStore

_EXPIRED, _FRESH = 60, 3


def _plant(sandbox: Sandbox) -> None:
    """Save sessions, most of them so long ago that their time is over."""
    now = time.time()
    old = [(b"old%d" % number, now - 7200) for number in range(_EXPIRED)]
    new = [(b"new%d" % number, now) for number in range(_FRESH)]
    puts = [
        Put(cache_id=cache_id, session=b"s", stored_at=stored, expires_at=stored + 3600)
        for cache_id, stored in (*old, *new)
    ]
    with SessionStore(
        sandbox.data / "smtpd_scache", checkpoints=False, lock_wait=2.0, open_wait=2.0
    ) as store:
        store.apply(session_sealer().sealed(puts))


def _share_key(sandbox: Sandbox) -> None:
    """Have the workers open what we seal."""
    key_file = sandbox.root / "key"
    key_file.write_text(SECRET.hex())
    key_file.chmod(0o400)
    sandbox.configure(f"tlsmgr_sealing_key_file = {key_file}")


def test_is_swept_at_the_start_and_logged(sandbox: Sandbox) -> None:
    """A sweep tells in Postfix's words how many entries it kept and removed."""
    _plant(sandbox)

    sweeper = sandbox.start("expiry-sweeper")

    sweeper.wait_for_log(f"cache smtpd full cleanup: retained={_FRESH} dropped={_EXPIRED} entries")
    sweeper.wait_for_log("cache lmtp full cleanup: retained=0 dropped=0 entries")


def test_the_sweeper_gives_way_to_who_answers(sandbox: Sandbox) -> None:
    """On a busy machine the cache server's clients do not wait for a sweep."""
    sweeper = sandbox.start("expiry-sweeper")
    server = sandbox.start("cache-server")

    assert os.getpriority(os.PRIO_PROCESS, sweeper.pid) > os.getpriority(os.PRIO_PROCESS, server.pid)


def test_is_swept_when_asked(sandbox: Sandbox) -> None:
    """The verb sweep removes what has expired by now, and prints the same line."""
    sweeper = sandbox.start("expiry-sweeper")
    for cache in ("smtpd", "smtp", "lmtp"):
        sweeper.wait_for_log(f"cache {cache} full cleanup")
    _plant(sandbox)

    done = sandbox.command("sweep")

    assert done.returncode == 0, done.stderr
    line = f"cache smtpd full cleanup: retained={_FRESH} dropped={_EXPIRED} entries"
    assert line in done.stdout.decode().splitlines()
    assert line in sweeper.log


def test_is_not_found_though_nobody_swept(sandbox: Sandbox) -> None:
    """The cache server gives no expired entry out, while it is still in the store."""
    _share_key(sandbox)
    sandbox.start("cache-server")
    _plant(sandbox)

    with sandbox.client() as client:
        assert client.lookup(CacheType.SMTPD, b"old0") is None
        assert client.lookup(CacheType.SMTPD, b"new0") == b"s"
    with SessionStore(sandbox.data / "smtpd_scache", checkpoints=False) as store:
        assert store.count() == _EXPIRED + _FRESH


def test_a_cache_that_is_locked_does_not_keep_the_others_from_being_swept(sandbox: Sandbox) -> None:
    """The verb says which one was not swept and why, what was done, and ends with 1."""
    sweeper = sandbox.start("expiry-sweeper")
    for cache in ("smtpd", "smtp", "lmtp"):
        sweeper.wait_for_log(f"cache {cache} full cleanup")
    _plant(sandbox)

    with locked(sandbox.data / "smtp_scache"):
        done = sandbox.command("sweep")

    assert done.returncode == ExitCode.NOT_DONE
    lines = done.stdout.decode().splitlines()
    assert f"cache smtpd full cleanup: retained={_FRESH} dropped={_EXPIRED} entries" in lines
    assert "cache lmtp full cleanup: retained=0 dropped=0 entries" in lines
    assert not any("smtp full" in line for line in lines)
    assert "cache smtp was not swept: " in done.stderr.decode()
    assert "locked by another; try again" in done.stderr.decode()


def test_a_damaged_cache_is_swept_again_once_there_is_a_new_one(sandbox: Sandbox) -> None:
    """The sweeper leaves it alone, and goes on when the cache server has begun a new one."""
    _plant(sandbox)
    directory = sandbox.data / "smtpd_scache"
    (directory / "cache.db").write_bytes(b"no database" * 1000)
    sweeper = sandbox.start("expiry-sweeper")
    sweeper.wait_for_log("cache.db is no database")

    server = sandbox.start("cache-server")
    server.wait_for_log("set aside as")
    done = sandbox.command("sweep")

    assert done.returncode == 0, done.stderr
    assert "cache smtpd full cleanup: retained=0 dropped=0 entries" in done.stdout.decode().splitlines()
    assert len(list(sandbox.data.glob("smtpd_scache.damaged-*"))) == 1
