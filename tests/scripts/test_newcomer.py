"""The newcomer's path: a fresh clone, one command, one session, and nothing left afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT
from tests.scripts.supervised import Supervised


@pytest.mark.system
@pytest.mark.timeout(300)
def test_clone_run_store_find_stop() -> None:
    """With nothing prepared but a clone, scripts/run serves, and SIGTERM ends all of it with 0."""
    with tempfile.TemporaryDirectory(prefix="new", dir=tempfile.gettempdir()) as directory:
        home = Path(directory, "home")
        # As long as a home directory's may be: sockets below it have 107 bytes for their path.
        clone = Path(directory, "a-checkout-somewhere-in-a-home-directory")
        home.mkdir()
        git = shutil.which("git")
        assert git is not None
        subprocess.run([git, "clone", "-q", CHECKOUT, clone], check=True, timeout=60)  # noqa: S603 - ours
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        output = Path(directory, "output")
        with Supervised([clone / "scripts/run"], environment, output, checkout=clone) as started:
            started.wait_until_ready(seconds=240)
            tlsmgr = [clone / ".venv/bin/tlsmgr"]
            in_sandbox = {**environment, "MAIL_CONFIG": f"{clone}/var/sandbox/etc"}
            for arguments, stdin in (
                (["update", "smtpd", "id"], b"session"),
                (["lookup", "--raw", "smtpd", "id"], b""),
            ):
                done = subprocess.run(  # noqa: S603 - our own command
                    [*tlsmgr, *arguments],
                    input=stdin,
                    capture_output=True,
                    env=in_sandbox,
                    timeout=30,
                    check=True,
                )

            assert done.stdout == b"session"
            assert started.signal(signal.SIGTERM) == 0
            assert started.processes() == []
