"""A private Postfix that takes and sends mail with TLS, and whose sessions a tlsmgr keeps."""

import datetime as dt
import re
import smtplib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rehearsal.certificate import self_signed
from rehearsal.loopback import HOST, free_port
from rehearsal.private_postfix import TLSMGR_SERVICE, PrivatePostfix
from rehearsal.waiting import wait_for

READY_SECONDS = 20.0

_CONNECTED = re.compile(r"smtpd\[(\d+)\]: connect from")


class PostfixInstance(PrivatePostfix):
    """A Postfix with an SMTP server on ``port``, which throws away what it accepts.

    Its smtpd caches sessions (``smtpd_tls_session_cache_database``) and offers
    STARTTLS. Debian's own tlsmgr serves it unless ``tlsmgr_service_name`` names
    another's socket: then master.cf has no tlsmgr at all. ``chroot`` is for smtpd,
    smtp, lmtp and tlsmgr; ``process_limit`` for smtpd; ``parameters`` go over ours.
    """

    def __init__(
        self,
        directory: Path,
        *,
        chroot: bool = False,
        process_limit: int = 1,
        tlsmgr_service_name: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.chroot = chroot
        services = self._services_of(chroot="y" if chroot else "n", process_limit=process_limit)
        if tlsmgr_service_name is None:
            services.append(TLSMGR_SERVICE if chroot else TLSMGR_SERVICE.replace(" y ", " n "))
            chosen = {}
        else:
            chosen = {"tlsmgr_service_name": tlsmgr_service_name}
        settings = server_parameters(directory) | chosen | dict(parameters or {})
        super().__init__(directory, parameters=settings, services=services)

    def await_ready(self) -> None:
        """Wait until the SMTP server greets."""
        wait_for("220 greeting", self._greets, seconds=READY_SECONDS, evidence=self.maillog_tail)

    def send(self, recipient: str) -> None:
        """Put a message into the queue, as the local command sendmail does.

        Raises:
            AssertionError: sendmail refuses it; the message has its own words.
        """
        message = f"From: sender@example.com\nTo: {recipient}\nSubject: a test\n\nThe text.\n"
        sendmail = ["sendmail", "-C", str(self.config_directory), "-f", "sender@example.com", recipient]
        self.run(sendmail, stdin=message)

    def smtpd_pids(self) -> list[int]:
        """Return the process that served each connection so far, in the order of the log."""
        return [int(pid) for pid in _CONNECTED.findall(self.settled_maillog())]

    def _greets(self) -> bool:
        try:
            with smtplib.SMTP(HOST, self.port, timeout=READY_SECONDS):
                return True
        except (ConnectionError, TimeoutError, smtplib.SMTPServerDisconnected):
            return False

    def _services_of(self, *, chroot: str, process_limit: int) -> list[str]:
        return [
            f"{HOST}:{self.port} inet n - {chroot} - {process_limit} smtpd",
            f"smtp unix - - {chroot} - - smtp",
            f"lmtp unix - - {chroot} - - lmtp",
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "discard unix - - n - - discard",
            "showq unix n - n - - showq",
            "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "proxymap unix - - n - - proxymap",
        ]


def server_parameters(directory: Path) -> dict[str, str]:
    """Return what makes a mail server with STARTTLS and a session cache, and make its certificate."""
    files = self_signed(directory, now=dt.datetime.now(dt.UTC))
    return {
        "myhostname": "mail.example.com",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "smtpd_peername_lookup": "no",
        "disable_dns_lookups": "yes",
        "default_transport": "discard",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_loglevel": "2",
        "smtpd_tls_cert_file": str(files.certificate),
        "smtpd_tls_key_file": str(files.key),
        "smtpd_tls_session_cache_database": "btree:${data_directory}/smtpd_scache",
    }


def client_parameters(*, transport: str, port: int) -> dict[str, str]:
    """Return what sends all mail to ``port`` over TLS, a connection for each message, sessions cached.

    ``transport`` is ``smtp`` or ``lmtp``, whose own parameters are set.
    """
    return {
        "default_transport": f"{transport}:[{HOST}]:{port}"
        if transport == "smtp"
        else f"{transport}:inet:[{HOST}]:{port}",
        f"{transport}_tls_security_level": "encrypt",
        f"{transport}_tls_loglevel": "2",
        f"{transport}_tls_session_cache_database": f"btree:${{data_directory}}/{transport}_scache",
        f"{transport}_tls_connection_reuse": "no",
        f"{transport}_connection_cache_on_demand": "no",
    }


@contextmanager
def occupied(port: int) -> Iterator[None]:
    """Keep one server process busy: an SMTP connection that has been greeted, and says nothing more."""
    with smtplib.SMTP(HOST, port, timeout=READY_SECONDS):
        yield
