"""The ratchet of a cache server that runs in a chroot jail, with its file outside."""

import os
import time

import pytest

from rehearsal.sandbox import Sandbox
from rehearsal.waiting import wait_for
from tests.farm.test_secret import secret
from tlsmgr.errors import ExitCode
from tlsmgr.farm.secret import FarmSecret

# Of the longest timeout that there may be: no epoch ends while the test runs.
_HALF = 4320000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot and give up rights")
def test_a_jailed_cache_server_takes_secrets_over_and_keeps_its_file() -> None:
    """By the directory that it opened before; root's import leaves the file to mail_owner."""
    with Sandbox(owner="nobody", caches=()) as jail:
        jail.run = jail.queue / "private" / "run"
        jail.configure(
            f"tlsmgr_run_directory = {jail.run}",
            f"smtpd_tls_session_cache_timeout = {2 * _HALF}s",
            "tlsmgr_ticket_key_source = ratchet:$data_directory/farm_secret",
        )
        worker = jail.start("cache-server", "-c", "-u")
        present = int(time.time()) // _HALF
        made = secret(present - 1, epoch_seconds=_HALF)
        assert jail.command("farm", "import", stdin=made.to_text().encode()).returncode == ExitCode.OK

        def listed() -> bool:
            return any(b"ratchet" in line for line in jail.command("keys", "--json").stdout.splitlines())

        wait_for("the farm's keys", listed, evidence=lambda: worker.log)
        assert jail.command("revoke").returncode == ExitCode.OK
        kept = FarmSecret.from_text((jail.data / "farm_secret").read_text())
        assert kept == made.at(made.ratchet.advanced(kept.ratchet.epoch))
        assert kept.ratchet.epoch > present
