"""The way to the PRNG server: only root or the mail owner may choose our seeds."""

import os
import pwd
import socket

import pytest
import uvloop

from rehearsal.sandbox import Sandbox
from tlsmgr.client import AsyncClient
from tlsmgr.config.settings import load_settings
from tlsmgr.errors import ServerUnavailableError
from tlsmgr.processes.prng_link import PrngLink


async def _fetch(sandbox: Sandbox) -> bytes:
    link = PrngLink(load_settings(sandbox.etc))
    try:
        return await link.fetch_block(64, 0, b"")
    finally:
        link.close()


def test_the_mail_owners_server_is_believed(sandbox: Sandbox) -> None:
    """Blocks come from a PRNG server of the user that the configuration names."""
    sandbox.start("prng-server")
    assert len(uvloop.run(_fetch(sandbox))) == 64


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_anybody_elses_server_is_not_asked(sandbox: Sandbox) -> None:
    """It is told nothing and gives nothing; the error names its user."""
    stranger = pwd.getpwnam("nobody").pw_uid
    path = sandbox.socket("prng-server")
    for directory in (sandbox.root, sandbox.data):
        directory.chmod(0o755)
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        # The kernel vouches for who called listen().
        os.seteuid(stranger)
        try:
            listener.bind(str(path))
            listener.listen()
        finally:
            os.seteuid(0)
        with pytest.raises(ServerUnavailableError, match=f"uid {stranger}"):
            uvloop.run(_fetch(sandbox))
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""


def test_a_client_that_names_no_servers_takes_any(sandbox: Sandbox) -> None:
    """A library's user may have other ideas of whom to trust."""
    sandbox.start("prng-server")

    async def run() -> None:
        async with AsyncClient(sandbox.socket("prng-server")) as client:
            assert len(await client.seed(8)) == 8

    uvloop.run(run())
