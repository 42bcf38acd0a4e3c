import asyncio
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.config.files import write_configuration
from tests.sealing import worker_pair
from tlsmgr.config.settings import Settings, load_settings
from tlsmgr.errors import AccessDeniedError, ConfigurationError, ProtocolError
from tlsmgr.sealing.custody import Custody
from tlsmgr.sealing.hand_over import Side
from tlsmgr.sealing.sealer import OtherKeyError
from tlsmgr.transport.peer import PeerCredentials

US = PeerCredentials(process_id=os.getpid(), user_id=os.geteuid(), group_id=os.getegid())


def settings_in(directory: Path, **parameters: str) -> Settings:
    """Return the settings of a configuration with a run directory of its own."""
    run_directory = directory / "run"
    run_directory.mkdir(exist_ok=True)
    mail_owner = pwd.getpwuid(os.geteuid()).pw_name
    overrides = {"mail_owner": mail_owner, "tlsmgr_run_directory": str(run_directory), **parameters}
    return load_settings(write_configuration(directory, ""), overrides=list(overrides.items()))


@contextmanager
def running(side: Side, run_directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that keeps the keys as the worker of that name does; it prints their ids."""
    command = [sys.executable, "-m", worker_pair.__name__, side.value, str(run_directory)]
    with subprocess.Popen(  # noqa: S603 - our own script
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ids_of(process: "subprocess.Popen[str]") -> str:
    """Return the ids of the keys that a worker prints when it serves."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_worker_that_was_killed_has_the_same_key_again(tmp_path: Path) -> None:
    """Either one, from the other: real processes, sockets and locks."""
    settings_in(tmp_path)
    run_directory = tmp_path / "run"
    with running(Side.PRNG_SERVER, run_directory) as prng:
        made = ids_of(prng)
        with running(Side.CACHE_SERVER, run_directory) as cache:
            assert ids_of(cache) == made
            prng.kill()
            prng.wait()
            with running(Side.PRNG_SERVER, run_directory) as again:
                assert ids_of(again) == made
                cache.kill()
                cache.wait()
                with running(Side.CACHE_SERVER, run_directory) as last:
                    assert ids_of(last) == made


def test_a_process_that_only_sits_at_the_socket_is_told_nothing(tmp_path: Path) -> None:
    """It has the socket's name and the right user, but not the lock: we go on with a key of our own."""
    settings_in(tmp_path)
    run_directory = tmp_path / "run"
    with running(Side.PRNG_SERVER, run_directory) as prng:
        theirs = ids_of(prng)
        (run_directory / "prng-server.pid").unlink()
        with running(Side.CACHE_SERVER, run_directory) as cache:
            ours = ids_of(cache)
            assert ours
            assert ours != theirs


def test_a_key_in_a_file_is_used_at_every_start(tmp_path: Path) -> None:
    """What one process sealed the next one opens; and the key is told to nobody."""
    key_file = tmp_path / "key"
    key_file.write_bytes(os.urandom(32))
    key_file.chmod(0o400)
    settings = settings_in(tmp_path, tlsmgr_sealing_key_file=str(key_file))
    sealed = b""
    for _ in range(2):
        custody = Custody(Side.CACHE_SERVER, settings, os.urandom)
        custody.open_privileged()
        asyncio.run(custody.start())
        sealed = sealed or custody.sealer.seal(b"session", bound_to=b"")
        assert custody.sealer.open(sealed, bound_to=b"") == b"session"
        assert custody.outlives_reboot
        assert not custody.renew()
        with pytest.raises(ProtocolError, match="the key is in a file"):
            custody.answer(US, (b"", b""))
        custody.close()


def test_a_key_file_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    """With the parameter's name; no key is made in its place."""
    settings = settings_in(tmp_path, tlsmgr_sealing_key_file=str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="tlsmgr_sealing_key_file"):
        Custody(Side.CACHE_SERVER, settings, os.urandom).open_privileged()


def test_a_worker_that_is_alone_gets_a_key_and_refuses_strangers(tmp_path: Path) -> None:
    """After a moment; and a renewed key opens nothing from before."""

    async def run() -> None:
        custody = Custody(Side.CACHE_SERVER, settings_in(tmp_path), os.urandom)
        custody.open_privileged()
        await custody.start()
        with pytest.raises(AccessDeniedError):
            custody.answer(US, (b"", b""))
        assert custody.refused == 1
        sealed = custody.sealer.seal(b"session", bound_to=b"")
        assert custody.renew()
        with pytest.raises(OtherKeyError):
            custody.sealer.open(sealed, bound_to=b"")
        custody.close()

    asyncio.run(run())
