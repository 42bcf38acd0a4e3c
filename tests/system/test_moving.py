"""docs/moving.md: from Debian's tlsmgr to ours and back, while mail goes on."""

import os
import re
import smtplib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.checkout import CHECKOUT
from rehearsal.loopback import HOST
from rehearsal.waiting import wait_for
from tests.system.postfix_presence import require_postfix
from tests.system.served_postfix import ServedPostfix, served
from tests.system.starttls import Mode, resumes_twice

pytestmark = pytest.mark.system

_TEXT = (CHECKOUT / "docs" / "moving.md").read_text(encoding="utf-8")
_STEPS = dict(re.findall(r"<!-- test: ([^>]*?) -->\n```sh\n(.*?)```", _TEXT, re.DOTALL))
_LOOKUP = "lookup smtpd session id="
_SECONDS = 15.0


class Traffic(threading.Thread):
    """Sends mail over TLS, one connection after the other, until it is told to stop."""

    def __init__(self, port: int) -> None:
        super().__init__(name="traffic")
        self._port = port
        self._enough = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE
        self.sent = 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Send; what goes wrong is kept."""
        while not self._enough.is_set():
            try:
                self._send()
                self.sent += 1
            except (OSError, smtplib.SMTPException) as error:
                self.failures.append(repr(error))

    def stop(self) -> None:
        """Return when the last message is through."""
        self._enough.set()
        self.join(_SECONDS)

    def _send(self) -> None:
        with smtplib.SMTP(HOST, self._port, timeout=_SECONDS) as connection:
            connection.starttls(context=self._context)
            connection.sendmail(
                "sender@example.com", ["user@example.com"], "Subject: a test\r\n\r\nText.\r\n"
            )


@contextmanager
def _mail(port: int) -> Iterator[Traffic]:
    traffic = Traffic(port)
    traffic.start()
    try:
        yield traffic
    finally:
        traffic.stop()


def _walk(both: ServedPostfix, step: str) -> str:
    """Carry out a step as it stands in the document; return what it said."""
    environment = {
        **os.environ,
        "MAIL_CONFIG": str(both.postfix.config_directory),
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
    }
    done = subprocess.run(  # noqa: S603 - the document's own commands
        ["/bin/bash", "-ec", _STEPS[step]],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{step}: {said}\n{both.evidence()}"
    return said


def _await_new_smtpd(both: ServedPostfix, former: set[int]) -> None:
    wait_for(
        "end of the former smtpd",
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in former),
        seconds=30.0,
        evidence=both.postfix.maillog_tail,
    )


def _lookups(both: ServedPostfix, session: Path) -> int:
    """Resume a session twice; return whether our cache server was asked meanwhile."""
    before = both.workers.log("cache-server").count(_LOOKUP)
    resumes_twice(both.postfix.port, Mode.SESSION_ID_1_2, session)
    return both.workers.log("cache-server").count(_LOOKUP) - before


def test_there_and_back_under_mail(tmp_path: Path) -> None:
    """Not one message fails, and sessions are resumed before, in between and afterwards."""
    require_postfix()
    assert list(_STEPS) == ["name", "look", "answer", "there", "back"]
    own = {"tlsmgr_service_name": "tlsmgr-cache"}
    with (
        served(hooked_up=False, chroot=True, own_parameters=own) as both,
        _mail(both.postfix.port) as traffic,
    ):
        before = (both.postfix.config_directory / "main.cf").read_bytes()
        assert _lookups(both, tmp_path / "debian") == 0
        for step in ("name", "look", "answer"):
            _walk(both, step)
        assert (both.postfix.config_directory / "tlsmgr.cf").read_text().count("tlsmgr_service_name") == 1

        former = set(both.postfix.smtpd_pids())
        assert "tlsmgr_service_name = tlsmgr-cache" in _walk(both, "there")
        _await_new_smtpd(both, former)
        assert _lookups(both, tmp_path / "ours") >= 2, both.evidence()

        former = set(both.postfix.smtpd_pids())
        _walk(both, "back")
        _await_new_smtpd(both, former)
        assert _lookups(both, tmp_path / "debian again") == 0, both.evidence()
        assert (both.postfix.config_directory / "main.cf").read_bytes() == before
        traffic.stop()
        assert traffic.failures == [], both.evidence()
        assert traffic.sent > 10
        assert "problem talking to server" not in both.postfix.maillog()
