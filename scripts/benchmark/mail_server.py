"""The configuration of a mail server that speaks TLS from the first byte, on a port of its own."""

import datetime as dt
from pathlib import Path

from rehearsal.certificate import self_signed
from rehearsal.loopback import HOST

#: So many connections that a new process of the mail server is no part of what is measured.
_CONNECTIONS_OF_A_PROCESS = 1_000_000


def smtpd_service(port: int) -> str:
    """Return the line of master.cf with one SMTP server process on ``port``."""
    return f"{HOST}:{port} inet n - n - 1 smtpd"


def mail_server_parameters(directory: Path, database: str) -> dict[str, str]:
    """Return what makes the mail server, with a session cache in a ``database`` of that type.

    Its certificate is made in ``directory``.
    """
    files = self_signed(directory, now=dt.datetime.now(dt.UTC))
    return {
        "myhostname": "mail.example.com",
        "mydestination": "",
        "local_recipient_maps": "",
        "mynetworks": "127.0.0.0/8",
        "smtpd_peername_lookup": "no",
        "disable_dns_lookups": "yes",
        "max_use": str(_CONNECTIONS_OF_A_PROCESS),
        "smtpd_tls_wrappermode": "yes",
        "smtpd_tls_cert_file": str(files.certificate),
        "smtpd_tls_key_file": str(files.key),
        "smtpd_tls_session_cache_database": f"{database}:${{data_directory}}/smtpd_scache",
    }
